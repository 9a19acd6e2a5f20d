#!/usr/bin/env bash
# install.sh [run|bench|package|test]: what Debian 12 must have to build and run Weft (run), also to
# measure it and draw the results (bench), to make its package (package), or to test it (test). The
# set may come from WEFT_INSTALL_SET instead. Does nothing, and does not touch the
# network, where everything is there already.
#
# The test set also fetches a Debian kernel for guests under QEMU. It is unpacked under
# WEFT_CACHE (default /var/cache/weft) and never installed: this machine's own boot is not touched.
set -euo pipefail

readonly SWIFT_WANTED=6.3
readonly CACHE=${WEFT_CACHE:-/var/cache/weft}
readonly SET=${1:-${WEFT_INSTALL_SET:-run}}

# Build: the C libraries. Run: what the lab and the demo start.
readonly RUN_PACKAGES=(
    liburing-dev libbpf-dev pkg-config git ca-certificates
    iproute2 nftables ethtool kmod iputils-ping iperf3
)
# What benchmarks compare with, measure round trips with, and draw with.
readonly BENCH_PACKAGES=(openvswitch-switch python3-matplotlib sockperf)
# What tests compare with, look at packets with, and run guests on.
readonly TEST_PACKAGES=(
    openvswitch-switch qemu-system-x86 busybox-static
    tcpdump tshark python3-scapy sockperf systemd
    socat python3-venv
)
# What the Debian package is made and checked with.
readonly PACKAGE_PACKAGES=(
    dpkg-dev debhelper libcurl4-openssl-dev man-db python3-minimal lintian debootstrap
)
# What it depends on, in the Debian that the test installs it in. If it comes to depend on more the
# test says what is missing, and it goes here.
readonly PACKAGE_DEPENDS=adduser,libbpf1,libcurl4,libgcc-s1,libstdc++6,liburing2
# The fuzzer of the control API, from PyPI, in an environment of its own.
readonly SCHEMATHESIS=schemathesis==4.32.5
# Modules of a guest that has one virtio network card, in the order in which they load, and of one
# that runs weftd itself, between namespaces of its own.
readonly GUEST_MODULES=(
    drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev
    drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci
    net/core/failover drivers/net/net_failover drivers/net/virtio_net
    drivers/net/tun drivers/net/veth net/sched/sch_ingress net/sched/cls_bpf
)

say() { printf 'install: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

require_swift() {
    local advice="install Swift $SWIFT_WANTED or later from https://www.swift.org/install/linux"
    command -v swift >/dev/null || die "no swift on PATH: $advice, then put its usr/bin on PATH"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
    [[ -n $version ]] || die "swift --version says no version: $advice"
    [[ $(printf '%s\n' "$SWIFT_WANTED" "$version" | sort -V | head -n 1) == "$SWIFT_WANTED" ]] ||
        die "swift is $version, too old: $advice"
}

# missing PACKAGE...: those of them that are not installed, one per line.
missing() {
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p' || true)
    local package
    for package in "$@"; do
        grep -qxF "$package" <<<"$installed" || printf '%s\n' "$package"
    done
}

updated=
apt_update() {
    [[ -z $updated ]] || return 0
    say "updating the package lists"
    apt-get update -qq
    updated=1
}

require_debian_root() {
    command -v apt-get >/dev/null ||
        die "no apt-get: this script knows Debian 12; elsewhere install what it lists: $*"
    [[ $EUID -eq 0 ]] || die "not root: run it as root to install: $*"
}

install_packages() {
    local wanted
    command -v dpkg-query >/dev/null ||
        die "no dpkg-query: this script knows Debian 12; elsewhere install: $*"
    mapfile -t wanted < <(missing "$@")
    [[ ${#wanted[@]} -gt 0 ]] || return 0
    require_debian_root "${wanted[*]}"
    apt_update
    say "installing ${wanted[*]}"
    # RUNLEVEL=1 tells invoke-rc.d not to start the services that packages bring (Open vSwitch):
    # tests run private ones.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${wanted[@]}" >&2
}

# fetch_guest_kernel: vmlinuz and GUEST_MODULES (numbered in loading order) in $CACHE/guest.
fetch_guest_kernel() {
    local guest=$CACHE/guest
    # The mark of a complete set names it: another set is fetched anew.
    local complete=$guest/modules/.complete
    [[ -s $guest/vmlinuz && $(cat "$complete" 2>/dev/null) == "${GUEST_MODULES[*]}" ]] && return 0
    require_debian_root "a guest kernel in $CACHE"
    apt_update
    local package
    package=$(apt-cache depends --no-recommends --no-suggests linux-image-cloud-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
    [[ -n $package ]] || die "linux-image-cloud-amd64 is not in the package lists"
    say "fetching $package for guests (unpacked in $CACHE, not installed)"
    # Beside its final place, so that the last step is a rename; world-readable, because apt
    # downloads as a user of its own.
    mkdir -p "$CACHE"
    work=$(mktemp -d "$CACHE/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    mkdir -m 777 "$work/deb"
    (cd "$work/deb" && apt-get download -qq "$package")
    dpkg-deb -x "$work"/deb/*.deb "$work/root"
    mkdir -p "$work/guest/modules"
    cp "$work"/root/boot/vmlinuz-* "$work/guest/vmlinuz"
    local tree module number=10
    tree=$(echo "$work"/root/lib/modules/*/kernel)
    for module in "${GUEST_MODULES[@]}"; do
        # Kernels differ in what is a module and what is built in: take those that are files.
        [[ -e $tree/$module.ko ]] && cp "$tree/$module.ko" "$work/guest/modules/$number-${module##*/}.ko"
        number=$((number + 1))
    done
    for module in virtio_net tun veth sch_ingress cls_bpf; do
        [[ -e $(echo "$work"/guest/modules/*-$module.ko) ]] ||
            die "$package has no $module module where it was expected"
    done
    printf '%s\n' "${GUEST_MODULES[*]}" >"$work/guest/modules/.complete"
    rm -rf "$guest"
    mv "$work/guest" "$guest"
}

# install_schemathesis: schemathesis in $CACHE/schemathesis.
install_schemathesis() {
    local place=$CACHE/schemathesis
    [[ $(cat "$place/.complete" 2>/dev/null) == "$SCHEMATHESIS" ]] && return 0
    say "installing $SCHEMATHESIS in $place"
    rm -rf "$place"
    mkdir -p "$CACHE"
    # Debian's Python, whatever else is on the PATH: the environment refers to it for good.
    /usr/bin/python3 -m venv "$place"
    "$place/bin/pip" install -q --disable-pip-version-check "$SCHEMATHESIS" >&2
    printf '%s\n' "$SCHEMATHESIS" >"$place/.complete"
}

# pack_debian: a Debian 12 with PACKAGE_DEPENDS, packed in $CACHE/debian.tar.gz.
pack_debian() {
    local packed=$CACHE/debian.tar.gz
    [[ -s $packed && $(cat "$CACHE/debian.complete" 2>/dev/null) == "$PACKAGE_DEPENDS" ]] &&
        return 0
    say "fetching a Debian to install the package in (packed in $CACHE)"
    local root
    mkdir -p "$CACHE"
    root=$(mktemp -d "$CACHE/debian.XXXXXX")
    # Where devices can not be made this can not be done. The test then says that it is skipped.
    if debootstrap --variant=minbase --include="$PACKAGE_DEPENDS" bookworm "$root" \
        >"$CACHE/debian.log" 2>&1; then
        rm -f "$root"/var/cache/apt/archives/*.deb
        tar -C "$root" --exclude='./dev/*' -czf "$packed.new" .
        mv "$packed.new" "$packed"
        printf '%s\n' "$PACKAGE_DEPENDS" >"$CACHE/debian.complete"
    else
        say "debootstrap failed: $(tail -n 1 "$CACHE/debian.log"); going on without"
    fi
    rm -rf --one-file-system "$root"
}

[[ $SET == run || $SET == bench || $SET == package || $SET == test ]] ||
    die "unknown set '$SET': expected run, bench, package or test"
require_swift
install_packages "${RUN_PACKAGES[@]}"
[[ $SET != run ]] || exit 0
if [[ $SET == package ]]; then
    install_packages "${PACKAGE_PACKAGES[@]}"
    exit 0
fi
if [[ $EUID -ne 0 ]]; then
    # Without root the tests that would use these skip, and nothing can be measured in any case.
    say "not root: going on without the packages and the guest kernel that only root uses"
    exit 0
fi
if [[ $SET == bench ]]; then
    install_packages "${BENCH_PACKAGES[@]}"
    exit 0
fi
install_packages "${TEST_PACKAGES[@]}" "${PACKAGE_PACKAGES[@]}"
fetch_guest_kernel
install_schemathesis
pack_debian
