import ControlAPI
import Lab
import TestFrames
import Testing
import Wire

//   one-0 ─────── switch ─────── one-1
//   ├─ near 10.0.0.1             └─ far 10.0.0.3
//   └─ beside 10.0.0.2

extension Scenarios {
    /// What `weft trace` says beside what then happens.
    @Suite("Traces of running daemons") struct TraceTests {
        @Test("a trace says where a frame goes, and it goes there") func agreement() throws {
            try withHosts { play, near, beside, far in
                let host = near.host
                // Everyone is known, and nothing else moves the counters that are looked at.
                try play.expectReachable(Station(near), Station(far))
                try play.expectReachable(Station(near), Station(beside))

                let local = try trace(play, host, "--port", "near", "--dst", "10.0.0.2")
                #expect(local.verdict == TraceVerdict(.delivered))
                #expect(local.destinations.map(\.port) == ["beside"])
                #expect(local.destinations.map(\.state) == [.up])

                let remote = try trace(
                    play, host, "--port", "near", "--dst", "10.0.0.3", "--proto", "udp",
                    "--dport", "7777", "--length", "200")
                #expect(remote.verdict == TraceVerdict(.sent))
                let tunnel = try #require(remote.destinations.first?.tunnel)
                // The very frame, sent by the VM, is seen on the underlay as it was traced.
                let capture = try Capture(
                    play, of: Station(far.host), "udp dst port 4789 and greater 240")
                try play.send([hex(remote.frame)], from: near)
                #expect(try eventually { try capture.count() >= 1 })
                let seen = try capture.packets(
                    "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "vxlan.vni", "ip.len")
                // The VM says that nobody listens there, and quotes it: that is the other way.
                let traced = seen.filter {
                    $0[3].hasSuffix("7777") && $0[0].hasPrefix(tunnel.source)
                }
                #expect(traced.count == 1)
                let packet = try #require(traced.first)
                #expect(packet[0].hasPrefix(tunnel.source))
                #expect(packet[1].hasPrefix(tunnel.destination))
                let port = packet[2].prefix { $0 != "," }
                #expect(tunnel.sourcePorts.contains { "\($0)" == port }, "\(packet)")
                #expect(packet[4] == "\(tunnel.vni)")
                #expect(packet[5].hasPrefix("\(tunnel.packetBytes)"))
            }
        }

        @Test("a trace says why a frame is dropped, and that is counted when it is sent")
        func drops() throws {
            try withHosts { play, near, beside, far in
                let host = near.host
                try play.expectReachable(Station(near), Station(far))
                let cases: [(reason: String, arguments: [String])] = [
                    ("spoofedMAC", ["--src", "02:00:00:00:00:77", "--dst", "\(far.mac)"]),
                    ("spoofedIP", ["--src", "10.0.0.9", "--dst", "\(far.mac)"]),
                    ("vlanNotAllowed", ["--vlan", "7", "--dst", "10.0.0.3"]),
                    ("samePort", ["--dst", "\(near.mac)"]),
                    ("invalidSourceMAC", ["--src", "00:00:00:00:00:00", "--dst", "10.0.0.3"]),
                ]
                for (reason, arguments) in cases {
                    let before = try play.drops(reason, host)
                    let result = try play.weftResult(
                        host, ["trace", "--json", "--port", "near"] + arguments)
                    #expect(result.status == 3, "\(reason): \(result.stdout)")
                    let reply = try decoded(result.stdout)
                    #expect(reply.verdict.reason == reason)
                    #expect(try play.drops(reason, host) == before, "a trace counts nothing")
                    try play.send([hex(reply.frame)], from: near)
                    #expect(
                        try eventually { try play.drops(reason, host) == before + 1 }, "\(reason)")
                }
                let text = try play.weftResult(
                    host, ["trace", "--port", "near", "--vlan", "7", "--dst", "10.0.0.3"]
                ).stdout
                #expect(text.contains("\nverdict      dropped, vlanNotAllowed: A VLAN tag, "))
            }
        }

        @Test("from the underlay, and to a device that is down") func underlay() throws {
            try withHosts { play, near, beside, far in
                let host = near.host
                try play.expectReachable(Station(near), Station(far))
                let peer = ["--peer", far.host.name, "--network", "blue"]
                let arrives = try trace(play, host, peer + ["--dst", "10.0.0.1"])
                #expect(arrives.verdict == TraceVerdict(.delivered))
                #expect(arrives.destinations.map(\.port) == ["near"])
                let stranger = try play.weftResult(
                    host, ["trace", "--from", "192.0.2.1", "--vni", "100", "--dst", "10.0.0.1"])
                #expect(stranger.status == 3)
                #expect(stranger.stdout.contains("dropped, unknownPeer"))
                try near.namespace.sh("ip", "link", "set", "eth0", "down")
                let down = try play.weftResult(host, ["trace"] + peer + ["--dst", "10.0.0.1"])
                #expect(down.status == 3)
                #expect(down.stdout.contains("dropped, portDown"))
                let wrong = try play.weftResult(host, ["trace", "--port", "no", "--dst", "::1"])
                #expect(wrong.status == 1)
                #expect(wrong.stderr.contains("there is no port no"))
            }
        }

        @Test("nobody is known, and a trace does not change that") func unknown() throws {
            try withHosts { play, near, _, _ in
                let host = near.host
                let reply = try trace(play, host, "--port", "near", "--dst", "10.0.0.99")
                #expect(reply.verdict.result == .flooded)
                let made = try play.weftResult(
                    host,
                    [
                        "trace", "--peer", "one-1", "--network", "blue", "--src",
                        "02:00:00:00:00:98", "--dst", "10.0.0.1",
                    ])
                #expect(made.stdout.contains("would teach that it is at peer one-1"))
                let known = try play.endpoints(host)
                #expect(!known.contains { $0.mac == "02:00:00:00:00:98" })
            }
        }

        // MARK: Vocabulary

        /// Two hosts, whose VMs may only use what is theirs.
        private func withHosts(
            _ body: (Scenario, _ near: VM, _ beside: VM, _ far: VM) throws -> Void
        ) throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let beside = try play.vm("beside", 2, on: hosts[0])
                let far = try play.vm("far", 3, on: hosts[1])
                try play.startAll()
                try body(play, near, beside, far)
            }
        }

        private func trace(
            _ play: Scenario, _ host: Host, _ arguments: String...
        ) throws -> TraceReply {
            try trace(play, host, arguments)
        }

        private func trace(
            _ play: Scenario, _ host: Host, _ arguments: [String]
        ) throws -> TraceReply {
            let result = try play.weftResult(host, ["trace", "--json"] + arguments)
            #expect(result.status == 0, "\(result.stdout)\(result.stderr)")
            return try decoded(result.stdout)
        }

        private func decoded(_ text: String) throws -> TraceReply {
            try JSON.decode(TraceReply.self, from: Array(text.utf8))
        }
    }
}
