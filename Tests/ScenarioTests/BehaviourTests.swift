import ControlAPI
import Lab
import TestFrames
import Testing
import Wire

//   one-0 ─────── switch ─────── one-1
//   └─ near 10.0.0.1             └─ far 10.0.0.2

extension Scenarios {
    /// What a network does for its VMs, and what it keeps from them.
    @Suite("Behaviour") struct BehaviourTests {
        @Test("known addresses are not asked for across the underlay", arguments: [true, false])
        func suppression(isOn: Bool) throws {
            try scenario { play in
                let (near, far) = try pair(play, ipv6: true)
                try play.startAll {
                    $0.networks[0].settings["arpSuppression"] = "\(isOn)"
                }
                // Each learns where the other is.
                try play.expectReachable(Station(near), Station(far))
                let capture = try Capture(
                    play, of: Station(far),
                    "ether multicast and (arp or (icmp6 and ip6[40] == 135))")
                let answered = try play.total("answered", near.host)
                try near.namespace.sh("ip", "neigh", "flush", "all")
                #expect(try play.reaches(Station(near), Station(far)))
                if isOn {
                    #expect(try capture.count() == 0)
                    #expect(try play.total("answered", near.host) >= answered + 2)
                } else {
                    #expect(try capture.count() >= 2)
                    #expect(try play.total("answered", near.host) == 0)
                }
            }
        }

        @Test("a VM that is a router stays one in the answers for it") func router() throws {
            try scenario { play in
                let (near, router) = try pair(play, ipv6: true)
                try play.startAll()
                try play.expectReachable(Station(near), Station(router))
                try router.namespace.sh("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
                try router.namespace.sh("python3", script("router.py"), "eth0")
                let gateway = "fe80::aff:fe00:2"
                func route() throws -> String { try near.namespace.sh("ip", "-6", "route") }
                #expect(try eventually { try route().contains("default via \(gateway)") })
                // Asked for, it says itself that it is a router.
                try near.namespace.sh("ip", "-6", "neigh", "flush", "all")
                #expect(try play.answers("\(gateway)%eth0", from: Station(near)))

                // Now near asks everybody for a router that it knows, and hears the answer from
                // its own host.
                let answered = try play.total("answered", near.host)
                let capture = try Capture(play, of: Station(near), "icmp6 and ip6[40] == 136")
                for setting in ["ucast_solicit=0", "mcast_resolicit=3"] {
                    try near.namespace.sh("sysctl", "-qw", "net.ipv6.neigh.eth0.\(setting)")
                }
                try near.namespace.sh(
                    "ip", "-6", "neigh", "replace", gateway, "lladdr", "\(router.mac)", "dev",
                    "eth0", "nud", "probe", "router")
                #expect(
                    try eventually { try play.total("answered", near.host) == answered + 1 })
                #expect(try eventually { try capture.count() == 1 })
                #expect(
                    try capture.packets("icmpv6.nd.na.flag.r").allSatisfy {
                        ["1", "True"].contains($0[0])
                    })
                #expect(try route().contains("default via \(gateway)"))
            }
        }

        @Test("a VM sends as itself only") func spoofing() throws {
            try scenario { play in
                let (near, far) = try pair(play)
                try play.startAll()
                try play.expectReachable(Station(near), Station(far))
                let capture = try Capture(play, of: Station(far), "not arp or arp[6:2] == 2")
                for (reason, frame) in forgeries(near, far) {
                    let before = try play.drops(reason, near.host)
                    try play.send([frame], from: near)
                    #expect(try eventually { try play.drops(reason, near.host) == before + 1 })
                }
                #expect(try capture.count() == 0)
                #expect(try play.endpoints(far.host).count == 2)
            }
        }

        /// Frames that pretend to be somebody else's, and the reason to drop each.
        private func forgeries(_ near: VM, _ far: VM) -> [(String, [UInt8])] {
            let honest = FrameBuilder(near, far)
            let stranger = MACAddress(bits: 0x0200_0000_0099)
            let address = IPv4Address(bits: 0x0a00_0063)
            var mac = honest
            mac.sourceMAC = stranger
            var ip = honest
            ip.source = .v4(address)
            var group = honest
            group.sourceMAC = MACAddress(bits: 0x0300_0000_0001)
            var broadcast = honest
            broadcast.destinationMAC = MACAddress(bits: 0xffff_ffff_ffff)
            func arp(_ sender: MACAddress, _ address: IPv4Address) -> [UInt8] {
                broadcast.arp(
                    operation: 2, senderMAC: sender, senderIP: address, targetMAC: far.mac,
                    targetIP: address)
            }
            return [
                ("spoofedMAC", mac.udp()), ("spoofedIP", ip.udp()),
                ("invalidSourceMAC", group.udp()), ("spoofedIP", arp(near.mac, address)),
                ("spoofedMAC", arp(stranger, IPv4Address(bits: 0x0a00_0001))),
            ]
        }

        @Test("a VM that moves is followed at its first frame") func move() throws {
            try scenario { play in
                let hosts = try play.hosts(3)
                let client = try play.vm("client", 1, on: hosts[0])
                let old = try play.vm("old", 2, on: hosts[1])
                let new = try play.vm("new", 3, on: hosts[2])
                try play.startAll {
                    // Any port may turn out to be the VM's.
                    for index in $0.ports.indices {
                        $0.ports[index].macs = []
                        $0.ports[index].ips = []
                    }
                }
                try play.expectReachable(Station(client), Station(old))
                try old.namespace.sh("ip", "link", "set", "eth0", "down")
                let takeover = """
                    link set eth0 down
                    link set eth0 address \(old.mac)
                    addr add 10.0.0.2/24 dev eth0
                    link set eth0 up

                    """
                try new.namespace.sh("ip", "-batch", "-", input: takeover)
                var gratuitous = FrameBuilder(old, client)
                gratuitous.destinationMAC = MACAddress(bits: 0xffff_ffff_ffff)
                try play.send(
                    [
                        gratuitous.arp(
                            operation: 1, senderMAC: old.mac,
                            senderIP: IPv4Address(bits: 0x0a00_0002),
                            targetMAC: MACAddress(bits: 0),
                            targetIP: IPv4Address(bits: 0x0a00_0002))
                    ], from: new)
                #expect(try play.reaches(Station(client), Station(old)), "at its new place")
                #expect(
                    try play.endpoints(hosts[0]).contains {
                        $0.mac == "\(old.mac)" && $0.location == .peer("one-2")
                    })
                #expect(try play.total("endpointMoves", hosts[0]) >= 1)
            }
        }

        @Test("unknown stations are found by flooding, and forgotten when silent")
        func ageing() throws {
            try scenario { play in
                let hosts = try play.hosts(3)
                let vms = try (0..<3).map { try play.vm("vm\($0)", $0 + 1, on: hosts[$0]) }
                try play.startAll { $0.networks[0].settings["ageing"] = "10" }
                // Of a protocol that no station answers, or keeps a neighbour for.
                let quiet = try Capture(play, of: Station(vms[2]), "ether proto 0x88b5")
                func send(_ from: Int, _ to: Int) throws {
                    let frame = FrameBuilder(vms[from], vms[to])
                    try play.send([frame.ethernet(type: 0x88b5, payloadBytes(64))], from: vms[from])
                }
                // Nobody has heard of vm1: this goes to everybody.
                try send(0, 1)
                #expect(try eventually { try quiet.count() == 1 })
                try send(1, 0)
                let mac = "\(vms[1].mac)"
                #expect(try eventually { try play.learned(hosts[0]).contains(mac) })
                try send(0, 1)
                #expect(try eventually(within: 15) { try play.learned(hosts[0]).isEmpty })
                #expect(try play.total("endpointsAged", hosts[0]) >= 1)
                #expect(try quiet.count() == 1, "it was known in the meantime")
                try send(0, 1)
                #expect(try eventually { try quiet.count() == 2 })
            }
        }

        @Test("without learning nothing unknown is flooded") func noLearning() throws {
            try scenario { play in
                let (near, far) = try pair(play)
                try play.startAll {
                    let (mac, peer) = $0.host == "one-0" ? (far.mac, "one-1") : (near.mac, "one-0")
                    let ip = $0.host == "one-0" ? "10.0.0.2" : "10.0.0.1"
                    $0.networks[0].settings["learning"] = "false"
                    $0.networks[0].settings["endpoints"] =
                        "[{ mac: \"\(mac)\", ips: [\(ip)], peer: \(peer) }]"
                }
                try play.expectReachable(Station(near), Station(far))
                var stray = FrameBuilder(near, far)
                stray.destinationMAC = MACAddress(bits: 0x0200_0000_0099)
                try play.send([stray.udp()], from: near)
                #expect(try eventually { try play.drops("unknownUnicast", near.host) == 1 })
                #expect(try play.learned(near.host).isEmpty)
            }
        }

        private func pair(_ play: Scenario, ipv6: Bool = false) throws -> (VM, VM) {
            let hosts = try play.hosts(2)
            return try (
                play.vm("near", 1, on: hosts[0], ipv6: ipv6),
                play.vm("far", 2, on: hosts[1], ipv6: ipv6)
            )
        }
    }
}

extension Scenario {
    /// The MACs that a host has learned.
    fileprivate func learned(_ host: Host) throws -> [String] {
        try endpoints(host).filter { $0.origin == .learned }.map(\.mac)
    }
}
