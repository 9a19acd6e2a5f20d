import Catalog
import Testing

@Suite("What is wrong with a configuration, and where")
struct ProblemTests {
    @Test("every problem is reported, in the file's order")
    func allAtOnce() {
        #expect(
            problems(
                inFile: """
                    underlay: {adress: 192.0.2.1, port: 70000}
                    workers: many
                    networks:
                      - {name: red, vni: 0}
                    """) == [
                    "weft.yaml:1:1: host: missing, expected the name of this host",
                    "weft.yaml:1:11: underlay: neither `address` nor `interface` given, "
                        + "expected one of them",
                    "weft.yaml:1:12: underlay.adress: unknown key (did you mean `address`?); "
                        + "expected one of `address`, `interface`, `port`, `sourcePorts`, "
                        + "`checksum`",
                    "weft.yaml:2:10: workers: found `many`, expected `auto` or a number in 1...64",
                    "weft.yaml:4:22: networks[0].vni: 0 is out of range, expected 1...16777215",
                ])
    }

    /// A mistake in the third line, and what its report must say.
    static let mistakes: [(String, String)] = [
        ("workers: 65", "3:10: workers: 65 is out of range, expected 1...64"),
        ("workers: \"4\"", "3:10: workers: found `4`, expected `auto` or a number in 1...64"),
        ("busyPoll: 1001us", "expected `adaptive`, `off` or 0...1000 microseconds"),
        ("busyPoll: adaptiv", "did you mean `adaptive`?"),
        ("busyPoll: [off]", "found a list, expected `adaptive`"),
        ("offloads: {uso: \"no\"}", "offloads.uso: found `no`, expected `true` or `false`"),
        ("offloads: {usp: no}", "3:12: offloads.usp: unknown key (did you mean `uso`?)"),
        ("offloads: yes", "3:11: offloads: found `yes`, expected a map"),
        ("peers: {name: b}", "3:8: peers: found a map, expected a list of peers"),
        ("peers: [b]", "3:9: peers[0]: found `b`, expected a map with the keys `name`"),
        ("peers: [{name: b}]", "peers[0].address: missing, expected the peer's address"),
        ("peers: [{name: b, address: fd00::1}]", "not of the same IP version as the underlay's"),
        ("peers: [{name: b, address: 192.0.2.1}]", "is this host's own address"),
        ("peers: [{name: a, address: 192.0.2.2}]", "3:16: peers[0].name: `a` is this host"),
        ("peers: [{name: b/c, address: 192.0.2.2}]", "found `b/c`, expected a name of 1...63"),
        ("peers: [{name: b, address: 224.0.0.1}]", "224.0.0.1 is no station's address"),
        (
            "peers: [{name: b, address: 192.0.2.2}, {name: b, address: 192.0.2.3}]",
            "3:47: peers[1].name: `b` is already the name of the peer of line 3"
        ),
        (
            "peers: [{name: b, address: 192.0.2.2}, {name: c, address: 192.0.2.2}]",
            "peers[1].address: 192.0.2.2 is already the address of `peers[0]`"
        ),
        (
            "peers: [{name: b, address: 192.0.2.2, networks: [red]}]",
            "peers[0].networks[0]: no network is named `red`; there is none"
        ),
        ("networks: [{name: red}]", "networks[0].vni: missing, expected a VXLAN network"),
        ("networks: [{name: r, vni: 16777216}]", "16777216 is out of range"),
        ("networks: [{name: r, vni: 99999999999999999999}]", "expected a whole number in 1..."),
        ("networks: [{name: r, vni: 1.5}]", "found `1.5`, expected a whole number"),
        ("networks: [{name: r, vni: 1, mtu: 575}]", "575 is out of range, expected 576...9216"),
        ("networks: [{name: r, vni: 1, mtu: big}]", "found `big`, expected `auto` or a number"),
        (
            "networks: [{name: r, vni: 1, mtu: 1000, gateway: \"fd00::1\"}]",
            "1000 is too small for the IPv6 gateway"
        ),
        ("networks: [{name: r, vni: 1, gateway: [10.0.0]}]", "networks[0].gateway[0]: found"),
        ("networks: [{name: r, vni: 1, ageing: 9}]", "expected 10...86400 seconds"),
        ("networks: [{name: r, vni: 1, vlan: dorp}]", "found `dorp` (did you mean `drop`?)"),
        (
            "networks: [{name: r, vni: 1}, {name: s, vni: 1}]",
            "networks[1].vni: 1 is already the VNI of `r`"
        ),
        (
            "networks: [{name: r, vni: 1, endpoints: [{mac: 01:00:5e:00:00:01, peer: b}]}]",
            "01:00:5e:00:00:01 is no station's address"
        ),
        (
            "networks: [{name: r, vni: 1, endpoints: [{mac: 2:0:a:0:0:1, peer: b}]}]",
            "found `2:0:a:0:0:1`, expected a MAC address like `02:00:0a:00:00:01`"
        ),
        ("control: {mode: 0880}", "found `0880`, expected octal permission bits"),
        ("control: {mode: 01000}", "expected octal permission bits like `0660`"),
        ("control: {socket: weft.sock}", "expected an absolute path"),
        ("control: {group: a b}", "control.group: found `a b`, expected a name"),
        ("log: {format: xml}", "log.format: found `xml`, expected one of `text`"),
        ("log: {level: warn}", "log.level: found `warn`, expected one of `trace`"),
        ("hosst: b", "3:1: hosst: unknown key (did you mean `host`?)"),
        ("<<: {workers: 1}", "3:1: <<: unknown key; expected one of `host`"),
        ("a.b: 1", "3:1: `a.b`: unknown key"),
        ("? [1, 2]\n: 3", "unknown key"),
    ]

    @Test("a mistake has its place, its key and its remedy", arguments: mistakes)
    func mistake(yaml: String, expected: String) {
        let found = problems(yaml + "\n")
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    /// A mistake in a port of network `red`.
    static let portMistakes: [(String, String)] = [
        ("name: p, network: rde, kind: tap", "no network is named `rde` (did you mean `red`?)"),
        ("name: p, network: red", "ports[0].kind: missing, expected one of `tap`"),
        ("name: p, network: red, kind: tpa", "found `tpa` (did you mean `tap`?)"),
        ("network: red, kind: tap", "ports[0].name: missing"),
        ("name: p, network: red, kind: interface", "ports[0].device: missing"),
        ("name: verylongname, network: red, kind: tap", "`weft-verylongname` (17 bytes)"),
        ("name: p, network: red, kind: tap, device: 0123456789abcdef", "(16 bytes)"),
        ("name: p, network: red, kind: tap, device: a/b", "expected an interface name"),
        ("name: p, network: red, kind: tap, netns: a/b", "network namespace or an absolute path"),
        ("name: p, network: red, kind: tap, ips: [10.0.0.1]", "`ips` without `macs`"),
        (
            "name: p, network: red, kind: tap, trunk: true, macs: [02:00:00:00:00:01]",
            "a trunk has unknown stations behind it"
        ),
        (
            "name: p, network: red, kind: tap, macs: [02:00:00:00:00:01, 02:00:00:00:00:01]",
            "ports[0].macs[1]: `02:00:00:00:00:01` is already in this list"
        ),
        ("name: p, network: red, kind: tap, macs: 02:00:00:00:00:01", "expected a list of MAC"),
        ("name: p, network: red, kind: tap, addresses: [10.0.0.1/24]", "only ports of kind host"),
        ("name: p, network: red, kind: host, owner: qemu", "only ports of kind tap have this"),
        (
            "name: p, network: red, kind: interface, device: d, mac: 02:00:00:00:00:01",
            "only ports of kind tap or host"
        ),
        ("name: p, network: red, kind: host, addresses: [10.0.0.1]", "with its prefix length"),
        ("name: p, network: red, kind: host, addresses: [10.0.0.1/33]", "with its prefix length"),
        ("name: p, network: red, kind: tap, owner: 'a:b'", "numeric id"),
    ]

    @Test("a port's mistake", arguments: portMistakes)
    func portMistake(port: String, expected: String) {
        let found = problems("networks: [{name: red, vni: 1}]\nports: [{\(port)}]\n")
        #expect(found.count == 1 && found[0].contains(expected), "\(found)")
    }

    @Test("a MAC is at one place of a network")
    func duplicateMAC() {
        #expect(
            problems(
                """
                peers: [{name: b, address: 192.0.2.2}]
                networks:
                  - {name: red, vni: 1, endpoints: [{mac: 02:00:00:00:00:01, peer: b}]}
                ports:
                  - {name: p, network: red, kind: tap, macs: [02:00:00:00:00:01]}
                """) == [
                    "weft.yaml:7:47: ports[0].macs[0]: 02:00:00:00:00:01 already belongs to "
                        + "networks[0].endpoints[0] in network `red`"
                ])
    }

    @Test("a device belongs to one port of a namespace")
    func duplicateDevice() {
        let found = problems(
            """
            networks: [{name: red, vni: 1}]
            ports:
              - {name: p, network: red, kind: tap, device: d}
              - {name: q, network: red, kind: tap, device: d}
              - {name: r, network: red, kind: tap, device: d, netns: x}
            """)
        #expect(found.count == 1)
        #expect(found[0].contains("6:48: ports[1].device: the device `d` already belongs to"))
    }

    @Test("a mistake in a network does not turn references to it into mistakes")
    func noEcho() {
        let found = problems(
            """
            networks: [{name: red, vni: 0}]
            ports: [{name: p, network: red, kind: tap}]
            """)
        #expect(found.count == 1, "\(found)")
    }

    @Test("the underlay's mistakes")
    func underlay() {
        func found(_ underlay: String) -> String {
            problems(inFile: "host: a\nunderlay: \(underlay)\n").joined(separator: "\n")
        }
        #expect(found("{address: 192.0.2.1, interface: e}").contains("both `address` and"))
        #expect(found("{address: \"fd00::1\", checksum: false}").contains("needs its checksum"))
        #expect(found("{address: here}").contains("found `here`, expected an IPv4 or IPv6"))
        #expect(found("{interface: e, sourcePorts: 257}").contains("1...256 sockets per worker"))
        #expect(found("~").contains("underlay: missing"))
    }
}
