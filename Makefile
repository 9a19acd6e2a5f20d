# `make` or `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help demo deb test bench bench-quick bench-report counters format lint clean
SHELL := /bin/bash

# Where `swift build -c release` puts its programs.
RELEASE := .build/release
SOURCES := Package.swift Sources Tests

# What measuring needs: the programs to compare with, and our own.
BENCH_READY = scripts/install.sh bench && swift build -c release --product weftd && \
	swift build -c release --product weft-bench

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
		while IFS=$$'\t' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

demo: ## build weftd and weft, then show an overlay of three hosts and twelve VMs (root)
	@scripts/install.sh run
	swift build -c release --product weftd
	swift build -c release --product weft
	@$(RELEASE)/weft demo

deb: ## build the Debian package of weftd and weft: .build-deb/weft_VERSION_ARCHITECTURE.deb
	@scripts/install.sh package
	@packaging/deb

test: ## build all, run every test; those that need root or the kernel skip where they cannot run
	@scripts/install.sh test
	swift build -c release --product weftd
	swift build -c release --product weft
	swift build -c release --product weft-bench
	@# Without what makes the package, which only root can install, its tests skip.
	@if dpkg-checkbuilddeps packaging/debian/control; then packaging/deb; fi
	WEFT_BIN=$(CURDIR)/$(RELEASE) swift test --skip ScenarioTests
	@# Alone: they want the CPUs, and block the threads that other tests' servers run on.
	WEFT_BIN=$(CURDIR)/$(RELEASE) swift test --skip-build --filter ScenarioTests

bench: ## measure all systems in all scenarios, and scale, under 30 minutes (root, a quiet machine)
	@$(BENCH_READY)
	@WEFT_BIN=$(CURDIR)/$(RELEASE) $(RELEASE)/weft-bench scale --json bench/results
	@WEFT_BIN=$(CURDIR)/$(RELEASE) $(RELEASE)/weft-bench --json bench/results

bench-quick: ## the main scenarios in short rounds, under 5 minutes: to see, not to quote
	@$(BENCH_READY)
	@WEFT_BIN=$(CURDIR)/$(RELEASE) $(RELEASE)/weft-bench --quick

bench-report: ## write docs/BENCHMARKS.md and its plots from the newest of bench/results
	@scale=$$(ls -t bench/results/*-scale.json 2>/dev/null | head -n 1); \
		bench/report "$$(ls -t bench/results/*.json | grep -v -e -scale.json | head -n 1)" \
			$${scale:+--scale "$$scale"}

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
	rm -rf .build .build-deb
