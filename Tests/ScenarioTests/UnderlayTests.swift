import Lab
import TestFrames
import Testing
import Wire

//   one-0 ─────── switch ─────── one-1
//   └─ near 10.0.0.1             └─ far 10.0.0.2

extension Scenarios {
    /// What goes out to the underlay, and what is taken from it.
    @Suite("Underlay") struct UnderlayTests {
        @Test("strangers' datagrams are dropped") func strangers() throws {
            try scenario { play in
                let hosts = try play.hosts(3)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                for host in hosts[..<2] {
                    try play.start(host) { $0.peers.removeAll { $0.name == "one-2" } }
                }
                let capture = try Capture(play, of: Station(far), "udp")
                let forged = vxlan(vni: Scenario.blue.vni, FrameBuilder(near, far).udp())
                try play.send([forged, forged, forged], toVTEPOf: hosts[1], from: hosts[2])
                #expect(try eventually { try play.drops("unknownPeer", hosts[1]) == 3 })
                #expect(try capture.count() == 0)
                try play.expectReachable(Station(near), Station(far))
            }
        }

        @Test("what is not ours is counted as what it is") func notOurs() throws {
            try scenario { play in
                let (hosts, near, far) = try hostWithStrangePeer(play)
                let frame = FrameBuilder(near, far).udp()
                let cases: [(String, [[UInt8]])] = [
                    ("unknownVNI", [vxlan(vni: 101, frame), vxlan(vni: 0xff_ffff, frame)]),
                    (
                        "notVXLAN",
                        [vxlan(flags: 0, vni: 100, frame), vxlan(flags: 0xf7, vni: 100, [])]
                    ),
                    ("notVXLAN", [[], [8], [8, 0, 0, 0, 0, 0, 100]]),
                    ("runtFrame", [vxlan(vni: 100, []), vxlan(vni: 100, Array(frame[..<13]))]),
                ]
                for (reason, payloads) in cases {
                    let before = try play.drops(reason, hosts[0])
                    try play.send(payloads, toVTEPOf: hosts[0], from: hosts[1])
                    let expected = before + UInt64(payloads.count)
                    #expect(
                        try eventually { try play.drops(reason, hosts[0]) == expected }, "\(reason)"
                    )
                }
                // The flags beside I are for others to use (RFC 7348 section 5).
                let capture = try Capture(play, of: Station(near), "udp")
                var back = FrameBuilder(far, near)
                back.sourceMAC = far.mac
                try play.send(
                    [vxlan(flags: 0xff, vni: 100, back.udp())], toVTEPOf: hosts[0], from: hosts[1])
                #expect(try eventually { try capture.count() == 1 })
            }
        }

        @Test("a peer outside a network is not heard in it") func notAMember() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                try play.start(hosts[0]) { $0.peers[0].settings["networks"] = "[]" }
                try play.start(hosts[1])
                #expect(try !play.answers("10.0.0.1", from: Station(far)))
                #expect(try play.drops("peerNotInNetwork", hosts[0]) > 0)
                #expect(try !play.answers("10.0.0.2", from: Station(near)))
                #expect(try play.drops("nobodyToFlood", hosts[0]) > 0)
            }
        }

        @Test("garbage breaks nothing", arguments: [UInt64(1), 2, 3]) func garbage(seed: UInt64)
            throws
        {
            try scenario { play in
                let (hosts, near, far) = try hostWithStrangePeer(play)
                var random = SeededGenerator(seed: seed)
                let frame = FrameBuilder(far, near).tcp(payload: payloadBytes(500))
                let payloads: [[UInt8]] = (0..<2000).map { index in
                    switch index % 3 {
                    case 0: return random.bytes(Int.random(in: 0...1400, using: &random))
                    case 1:
                        let inner = random.bytes(Int.random(in: 0...1400, using: &random))
                        return vxlan(vni: 100, Array((frame[..<12] + inner).prefix(1400)))
                    default:
                        // A good frame with a few bytes changed, cut off somewhere.
                        var mutant = frame
                        for _ in 0..<4 {
                            mutant[Int.random(in: 12..<70, using: &random)] =
                                UInt8.random(in: 0...255, using: &random)
                        }
                        let length = Int.random(in: 14...mutant.count, using: &random)
                        return vxlan(vni: 100, Array(mutant[..<length]))
                    }
                }
                try play.send(payloads, toVTEPOf: hosts[0], from: hosts[1])
                #expect(try eventually { try play.total("fromUnderlay", hosts[0]) >= 1900 })
                // Still at work: between VMs of the host, for garbage may have moved others.
                let beside = Station(play.lab.vms[1])
                try play.expectReachable(Station(near), beside)
                try play.transfer(Station(near), beside, megabytes: 10)
            }
        }

        @Test(
            "outer headers: DF, source ports of many flows, the inner ECN",
            arguments: [false, true])
        func outerHeaders(ipv6Underlay: Bool) throws {
            try scenario(LabOptions(ipv6Underlay: ipv6Underlay)) { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                // Datagram by datagram: a capture sees trains as one packet.
                try play.startAll { $0.settings["offloads"] = "{ trains: false, udpGRO: false }" }
                try play.expectReachable(Station(near), Station(far))
                let capture = try Capture(
                    play, of: Station(hosts[1]), "udp dst port 4789 and src host \(hosts[0].vtep)")
                let frames = (0..<256).map { index in
                    var frame = FrameBuilder(near, far)
                    frame.sourcePort = 20_000 + UInt16(index)
                    frame.tos = UInt8(index % 2) * 2
                    return frame.udp(payload: payloadBytes(index * 4))
                }
                try play.send(frames, from: near)
                #expect(try eventually { try capture.count() >= 256 })
                let fields =
                    ipv6Underlay ? ["ipv6.tclass.ecn", "ip.dsfield.ecn"] : ["ip.dsfield.ecn"]
                let packets = try capture.packets(["udp.srcport", "ip.flags.df"] + fields)
                    .filter { $0[0].contains(",2") }
                #expect(packets.count == 256)
                let ports = packets.compactMap { UInt16($0[0].split(separator: ",")[0]) }
                #expect(ports.allSatisfy { $0 >= 49152 })
                #expect(Set(ports).count >= 24, "of 32 sockets")
                if !ipv6Underlay {
                    #expect(
                        packets.allSatisfy {
                            ["1", "True"].contains($0[1].split(separator: ",")[0])
                        })
                }
                let marks = packets.map { $0[2...].joined(separator: ",") }
                #expect(marks.count { $0 == "2,2" } == 128)
                #expect(marks.count { $0 == "0,0" } == 128)
            }
        }

        @Test("the underlay's congestion mark reaches the VM that asked for it") func congestion()
            throws
        {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                try play.startAll()
                try play.expectReachable(Station(near), Station(far))
                let marking = """
                    table ip congested {
                        chain marks {
                            type filter hook prerouting priority -300
                            udp dport 4789 ip ecn set ce
                        }
                    }
                    """
                try hosts[1].namespace.sh("nft", "-f", "-", input: marking)
                let capture = try Capture(play, of: Station(far), "udp")
                var frame = FrameBuilder(near, far)
                frame.tos = 2
                try play.send([frame.udp()], from: near)
                #expect(try eventually { try capture.count() == 1 })
                // One that cannot carry the mark is lost instead (RFC 6040 section 4.2).
                frame.tos = 0
                try play.send([frame.udp()], from: near)
                #expect(try eventually { try play.drops("congestionMarked", hosts[1]) >= 1 })
                #expect(try capture.packets("ip.dsfield.ecn") == [["3"]])
            }
        }

        // MARK: Packet too big

        @Test("a VM that sends too large packets is told, and TCP gets through") func tooBig()
            throws
        {
            try scenario { play in
                let (near, far) = try greedyPair(play)
                try play.startAll {
                    $0.networks[0].settings["gateway"] = "[10.0.0.254, \"fd01::fe\"]"
                }
                try enlarge([near, far])
                for (address, size) in [("10.0.0.2", 1400), ("fd01::2", 1400)] {
                    let ping = ["ping", "-n", "-c", "3", "-i", "0.1", "-w", "1", "-M", "do"]
                    let result = try near.run(ping + ["-s", "\(size)", address])
                    let text = result.stdout + result.stderr
                    #expect(text.contains("mtu = 1300") || text.contains("mtu=1300"), "\(text)")
                }
                try play.expectReachable(Station(near), Station(far))
                try play.transfer(Station(near), Station(far), megabytes: 20)
                #expect(try play.total("answered", near.host) > 0)
            }
        }

        @Test("without a gateway's address too large packets are only counted") func tooBigUntold()
            throws
        {
            try scenario { play in
                let (near, far) = try greedyPair(play)
                try play.startAll()
                try enlarge([near, far])
                try play.expectReachable(Station(near), Station(far))
                let ping = [
                    "ping", "-n", "-c", "3", "-i", "0.1", "-w", "1", "-M", "do", "-s", "1400",
                ]
                #expect(try !near.run(ping + ["10.0.0.2"]).succeeded)
                #expect(try play.drops("tooBig", near.host) >= 3)
            }
        }

        private func greedyPair(_ play: Scenario) throws -> (VM, VM) {
            let hosts = try play.hosts(2)
            let narrow = LabNetwork("narrow", vni: 300, mtu: 1300)
            return try (
                play.vm("near", 1, on: hosts[0], ipv6: true, network: narrow),
                play.vm("far", 2, on: hosts[1], ipv6: true, network: narrow)
            )
        }

        /// Gives VMs an MTU that their network does not have.
        private func enlarge(_ vms: [VM]) throws {
            for vm in vms { try vm.namespace.sh("ip", "link", "set", "eth0", "mtu", "1500") }
        }

        /// A host with two VMs, and a peer without a daemon, from which anything may come.
        private func hostWithStrangePeer(_ play: Scenario) throws -> ([Host], VM, VM) {
            let hosts = try play.hosts(2)
            let near = try play.vm("near", 1, on: hosts[0])
            _ = try play.vm("beside", 3, on: hosts[0])
            let far = try play.vm("far", 2, on: hosts[1])
            try play.start(hosts[0])
            return (hosts, near, far)
        }
    }
}
