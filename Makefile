# `make` or `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help demo test bench counters format lint clean
SHELL := /bin/bash

# Where `swift build -c release` puts its programs.
RELEASE := .build/release
SOURCES := Package.swift Sources Tests

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
		while IFS=$$'\t' read -r name what; do printf '  make %-8s %s\n' "$$name" "$$what"; done

demo: ## build weftd and weft, then show an overlay of three hosts and twelve VMs (root)
	@scripts/install.sh run
	swift build -c release --product weftd
	swift build -c release --product weft
	@$(RELEASE)/weft demo

test: ## build all, run every test; those that need root or the kernel skip where they cannot run
	@scripts/install.sh test
	swift build -c release --product weftd
	swift build -c release --product weft
	WEFT_BIN=$(CURDIR)/$(RELEASE) swift test

bench: ## measure on the emulated VPC and print the results (root, a quiet machine)
	@scripts/install.sh test
	swift build -c release --product weftd
	swift build -c release --product weft-bench
	@WEFT_BIN=$(CURDIR)/$(RELEASE) $(RELEASE)/weft-bench

.PHONY: micro
micro: ## time forwarding's parts without I/O; fail if one of them allocates
	cd bench/micro && swift package --disable-sandbox benchmark --no-progress
	cd bench/micro && swift package --disable-sandbox benchmark thresholds check --no-progress

counters: ## write docs/counters.md and DropHelp.swift from the counters' comments
	@scripts/counters.sh

format: ## rewrite the Swift sources in the project's style
	swift format --in-place --parallel --recursive $(SOURCES)

lint: ## say where the Swift sources leave the project's style
	swift format lint --strict --parallel --recursive $(SOURCES)

clean: ## remove what was built
	rm -rf .build
