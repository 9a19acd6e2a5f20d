#!/bin/busybox sh
# init.sh: process 1 of a guest whose kernel is what is tested. Two hosts and three VMs, each a
# network namespace of the guest; va and vb are on TAPs, vc is on a veth (a port of kind interface):
#
#   va ── weftd in ha ── eth0 ═══ eth0 ── weftd in hb ─┬─ vb
#                                                      └─ vc
#
# Says `weft-test NAME VALUE` for each thing that it found, and judges nothing. What else is on the
# console is there to be read when something went wrong.

/bin/busybox --install -s /bin
export PATH=/usr/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
# Lines end as written.
stty -onlcr

# busybox prefers its own ip, which knows no namespaces.
ip() { /usr/sbin/ip "$@"; }
within() { local namespace=$1; shift; ip netns exec "$namespace" "$@"; }
say() { echo "weft-test $*"; }

# Ends the guest with what the daemons and the kernel said.
finish() {
    kill $(pidof weftd)
    for _ in $(seq 100); do pidof weftd >/dev/null && sleep 0.1; done
    sed 's/^/a: /' /run/a.log
    sed 's/^/b: /' /run/b.log
    dmesg | grep -E 'WARNING|BUG|Oops|Call Trace' | sed 's/^/kernel: /'
    say end "$1"
    poweroff -f
}

# patiently COMMAND...: until it succeeds, for half a minute; ends the guest if it does not.
patiently() {
    local _
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    finish "in vain: $*"
}

# host NAME NUMBER PEER NUMBER [PORT]: weftd in h<NAME>, with v<NAME> on a TAP and a further port.
host() {
    cat >/run/"$1".yaml <<YAML
host: $1
underlay: { address: 192.0.2.$2 }
workers: 1
peers:
  - { name: $3, address: 192.0.2.$4 }
networks:
  - { name: blue, vni: 100, mtu: 1450 }
ports:
  - { name: v$1, network: blue, kind: tap, device: eth0, netns: v$1 }
  $5
YAML
    within "h$1" weftd --config /run/"$1".yaml --socket /run/"$1".sock >/run/"$1".log 2>&1 &
    patiently weft status --socket /run/"$1".sock
    patiently ip -n "v$1" link show eth0
    address "v$1" "$2"
}

# address VM NUMBER: sets up what a VM is to have.
address() {
    ip -n "$1" addr add 10.0.0."$2"/24 dev eth0
    ip -n "$1" link set eth0 mtu 1450 up
}

# reach LABEL FROM TO ADDRESS: how many of two echo requests were answered, and the SHA-256 of the
# data that arrived.
reach() {
    local answers hash
    answers=$(within "$2" ping -q -c 2 -W 5 "$4" | sed -n 's/.* \([0-9]*\) packets received.*/\1/p')
    say "answers-$1-$2-$3" "${answers:-0}"
    # The receiver's sum comes back the way that the data went.
    within "$3" timeout 30 nc -l -p 5000 -e sha256sum &
    patiently within "$3" sh -c 'netstat -ltn | grep -q :5000'
    hash=$(within "$2" timeout 30 nc "$4" 5000 </tmp/data | cut -d ' ' -f 1)
    say "received-$1-$2-$3" "${hash:-nothing}"
    wait $!
}

# What the daemons say of themselves, once the traffic has settled.
tell() {
    sleep 2
    say "status-$1-a" "$(weft status --socket /run/a.sock --json | tr -d '\n')"
    say "status-$1-b" "$(weft status --socket /run/b.sock --json | tr -d '\n')"
}

say kernel "$(uname -r)"
for module in /modules/*.ko; do insmod "$module"; done
for namespace in ha hb va vb vc; do
    ip netns add $namespace
    ip -n $namespace link set lo up
done
ip -n ha link add eth0 type veth peer name eth0 netns hb
ip -n hb link add vc type veth peer name eth0 netns vc
ip -n ha addr add 192.0.2.1/24 dev eth0
ip -n hb addr add 192.0.2.2/24 dev eth0
ip -n ha link set eth0 up
ip -n hb link set eth0 up
ip -n hb link set vc mtu 1450 up
host a 1 b 2
host b 2 a 1 '- { name: vc, network: blue, kind: interface, device: vc }'
address vc 3
say tap-udp-segmentation \
    "$(within va ethtool -k eth0 | sed -n 's/^tx-udp-segmentation: //p')"

dd if=/dev/urandom of=/tmp/data bs=1M count=20 2>/dev/null
say sent "$(sha256sum /tmp/data | cut -d ' ' -f 1)"
reach probed va vb 10.0.0.2
reach probed vb va 10.0.0.1
reach probed va vc 10.0.0.3
reach probed vc va 10.0.0.1
reach probed vb vc 10.0.0.3
tell probed

# A device without checksum offload: this kernel refuses segmented messages there, and only when
# they are sent.
within ha ethtool -K eth0 tx off
reach refused va vb 10.0.0.2
reach refused vb va 10.0.0.1
tell refused
finish well
