import Catalog
import Testing
import Wire

@Suite("A configuration's sections")
struct ConfigurationTests {
    @Test("two keys are enough, the rest has defaults")
    func defaults() throws {
        let value = try configuration()
        #expect(
            value
                == Configuration(
                    host: "a", underlay: Underlay(.address(.v4(IPv4Address(bits: 0xc000_0201))))))
        #expect(value.underlay.port == 4789)
        #expect(value.underlay.sourcePorts == 32)
        #expect(value.underlay.checksum)
        #expect(value.workers == nil)
        #expect(value.busyPoll == .adaptive)
        #expect(value.offloads.udpGRO && value.offloads.uso && value.offloads.trains)
        #expect(value.control.mode == 0o660)
        #expect(value.control.socket == "/run/weft/weft.sock")
        #expect(value.control.group == nil)
        #expect(value.log.level == .info)
        #expect(value.log.format == .text)
    }

    @Test("keys without a value have their defaults")
    func nullIsAbsent() throws {
        let value = try configuration(
            "peers:\nnetworks: ~\nports: null\nworkers:\nlog: {level: }\n")
        #expect(try value == configuration())
    }

    @Test("the underlay's options")
    func underlay() throws {
        let value = try Configuration.parse(
            yaml: """
                host: a
                underlay: {interface: ens5, port: 8472, sourcePorts: 1, checksum: false}
                """, file: "-")
        #expect(value.underlay.source == .interface("ens5"))
        #expect(value.underlay.address == nil)
        #expect(value.underlay.port == 8472)
        #expect(value.underlay.sourcePorts == 1)
        #expect(!value.underlay.checksum)
    }

    @Test(
        "busy polling, as a word or in microseconds",
        arguments: [
            ("adaptive", Configuration.BusyPoll.adaptive), ("off", .off), ("0", .off),
            ("50", .microseconds(50)), ("50us", .microseconds(50)), ("1000us", .microseconds(1000)),
        ])
    func busyPoll(text: String, expected: Configuration.BusyPoll) throws {
        #expect(try configuration("busyPoll: \(text)\n").busyPoll == expected)
    }

    @Test("offloads are switched one by one")
    func offloads() throws {
        let switches: [(String, WritableKeyPath<Configuration.Offloads, Bool>)] = [
            ("uso", \.uso), ("udpSegment", \.udpSegment), ("udpGRO", \.udpGRO),
            ("readMultishot", \.readMultishot), ("coalesce", \.coalesce), ("trains", \.trains),
        ]
        for (key, path) in switches {
            var expected = Configuration.Offloads()
            expected[keyPath: path] = false
            #expect(try configuration("offloads: {\(key): no}\n").offloads == expected)
        }
    }

    @Test("a network with everything set")
    func network() throws {
        let value = try configuration(
            """
            peers: [{name: b, address: 192.0.2.2}, {name: c, address: 192.0.2.3, networks: []}]
            networks:
              - name: red
                vni: 16777215
                mtu: 1450
                gateway: 10.0.0.254
                learning: false
                ageing: 10
                vlan: pass
                arpSuppression: off
                endpoints: [{mac: 02:00:0a:00:00:02, ips: [10.0.0.2, "fd00::2"], peer: b}]
            """)
        var red = Network(name: "red", vni: 0xff_ffff)
        red.mtu = 1450
        red.gateway = [.v4(IPv4Address(bits: 0x0a00_00fe))]
        red.learning = false
        red.ageing = 10
        red.vlan = .pass
        red.arpSuppression = false
        red.endpoints = [
            StaticEndpoint(
                mac: MACAddress(bits: 0x0200_0a00_0002),
                ips: [
                    .v4(IPv4Address(bits: 0x0a00_0002)),
                    .v6(IPv6Address(high: 0xfd00 << 48, low: 2)),
                ], peer: "b")
        ]
        #expect(value.networks == [red])
        #expect(value.peers(of: red).map(\.name) == ["b"])
    }

    @Test("ports of each kind")
    func ports() throws {
        let value = try configuration(
            """
            networks: [{name: red, vni: 1}]
            ports:
              - {name: vm1, network: red, kind: tap, macs: [02:00:0a:00:00:01], ips: [10.0.0.1],
                 owner: qemu, group: 107, mac: 02:00:0a:00:00:99, netns: ct1, floodUnknown: false}
              - {name: v-m, network: red, kind: interface, device: vnet0, trunk: true}
              - {name: gw, network: red, kind: host, addresses: [10.0.0.254/24, "fd00::fe/64"]}
            """)
        let (tap, interface, host) = (value.ports[0], value.ports[1], value.ports[2])
        #expect(tap.device == "weft-vm1")
        #expect(tap.checksMACs && tap.checksIPs)
        #expect(tap.macs == [MACAddress(bits: 0x0200_0a00_0001)])
        #expect(tap.mac == MACAddress(bits: 0x0200_0a00_0099))
        #expect(tap.owner == "qemu" && tap.group == "107" && tap.netns == "ct1")
        #expect(!tap.floodUnknown)
        #expect(interface.device == "vnet0" && interface.trunk && interface.floodUnknown)
        #expect(!interface.checksMACs && !interface.checksIPs)
        #expect(host.addresses.map(\.description) == ["10.0.0.254/24", "fd00::fe/64"])
    }

    @Test("MACs and modes that YAML would take for numbers stay text")
    func scalarsAreText() throws {
        let value = try configuration(
            """
            control: {mode: 0640, group: weft, socket: /tmp/w.sock}
            networks: [{name: 100, vni: 7}]
            ports: [{name: 1e3, network: 100, kind: tap, macs: [20:01:02:03:04:05]}]
            """)
        #expect(value.control.mode == 0o640)
        #expect(value.ports[0].macs == [MACAddress(bits: 0x2001_0203_0405)])
        #expect(value.ports[0].network == "100")
        #expect(value.ports[0].name == "1e3")
    }

    @Test("an anchor stands for its value")
    func anchors() throws {
        let value = try configuration(
            "networks: [{name: a, vni: 1, vlan: &v pass}, {name: b, vni: 2, vlan: *v}]\n")
        #expect(value.networks.map(\.vlan) == [.pass, .pass])
    }

    @Test("stations may have the same MAC in different networks")
    func overlappingNetworks() throws {
        let value = try configuration(
            """
            networks: [{name: red, vni: 1}, {name: blue, vni: 2}]
            ports:
              - {name: r, network: red, kind: tap, macs: [02:00:0a:00:00:01]}
              - {name: b, network: blue, kind: tap, macs: [02:00:0a:00:00:01]}
            """)
        #expect(value.ports.count == 2)
    }
}
