import Lab
import TestFrames
import Testing

//   one-0 ─────── switch ─────── one-1
//   ├─ near                      └─ far
//   └─ beside

extension Scenarios {
    /// Each kind of port, with traffic.
    @Suite("Ports") struct PortTests {
        @Test("an existing interface carries a VM, unseen by the host") func interface() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], ipv6: true, kind: .veth))
                let beside = Station(try play.vm("beside", 2, on: hosts[0], ipv6: true))
                let far = Station(try play.vm("far", 3, on: hosts[1], ipv6: true))
                try hosts[0].namespace.sh("ip", "addr", "add", "10.0.0.100/24", "dev", "near")
                try play.startAll()
                for other in [beside, far] {
                    try play.expectReachable(near, other)
                    try play.transfer(near, other, megabytes: 50)
                    try play.expectDatagramsIntact(near, other, count: 2000)
                    try play.expectDatagramsIntact(other, near, count: 2000)
                }
                // The host has this address on the VM's own wire, and must not hear the question.
                #expect(try !play.answers("10.0.0.100", from: near))
                #expect(try !play.answers("10.0.0.100", from: far))
                #expect(try hosts[0].namespace.counter("InEchos", of: "Icmp") == 0)
            }
        }

        @Test("two VMs on existing interfaces of one host") func interfaces() throws {
            try scenario { play in
                let host = try play.hosts(1)[0]
                let near = Station(try play.vm("near", 1, on: host, ipv6: true, kind: .veth))
                let beside = Station(try play.vm("beside", 2, on: host, ipv6: true, kind: .veth))
                try play.startAll()
                try play.expectReachable(near, beside)
                try play.transfer(near, beside, megabytes: 50)
            }
        }

        @Test("tagged frames pass where the network lets them") func vlanPasses() throws {
            try scenario { play in
                let (near, beside, far) = try vms(play)
                try play.startAll(passTags)
                for (from, to) in [(near, far), (far, near), (near, beside), (beside, far)] {
                    // The far VM must be known, or the frames would be flooded.
                    try play.expectReachable(Station(from), Station(to))
                    let capture = try Capture(play, of: Station(to), "vlan 7 and udp")
                    try play.send(taggedFrames(from, to), from: from)
                    #expect(
                        try eventually { try capture.count() == 3 }, "\(from.name) to \(to.name)")
                    let packets = try capture.packets("vlan.id", "udp.payload")
                    #expect(packets.map { $0[0] } == ["7", "7", "7"])
                    #expect(packets.map { $0[1].count } == [2, 2 * 600, 2 * 1400])
                }
            }
        }

        @Test("tagged frames are dropped where it does not") func vlanIsDropped() throws {
            try scenario { play in
                let (near, beside, far) = try vms(play)
                // one-0 drops what its ports send, and what comes to it through the tunnel.
                try play.start(play.lab.hosts[0])
                try play.start(play.lab.hosts[1], passTags)
                var expected: UInt64 = 0
                for (from, to) in [(near, far), (beside, far), (near, beside), (far, near)] {
                    try play.expectReachable(Station(from), Station(to))
                    let capture = try Capture(play, of: Station(to), "vlan")
                    try play.send(taggedFrames(from, to), from: from)
                    expected += 3
                    #expect(
                        try eventually {
                            try play.drops("vlanNotAllowed", play.lab.hosts[0]) == expected
                        }, "\(from.name) to \(to.name)")
                    #expect(try capture.count() == 0)
                }
                #expect(try play.drops("vlanNotAllowed", play.lab.hosts[1]) == 0)
            }
        }

        @Test("the host itself is in the network") func host() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0]))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                let gateway = Station(hosts[0], "10.0.0.254")
                try play.start(hosts[1])
                try play.start(hosts[0]) {
                    $0.ports.append(
                        WeftdConfiguration.Port(
                            name: "gw", network: "blue", kind: "host", device: "weft-gw",
                            settings: [
                                "addresses": "[10.0.0.254/24]", "mac": "02:00:0a:00:00:fe",
                            ]))
                }
                for vm in [near, far] {
                    try play.expectReachable(gateway, vm)
                    try play.transfer(gateway, vm, megabytes: 50)
                }
                let link = try hosts[0].namespace.sh("ip", "link", "show", "weft-gw")
                #expect(link.contains("02:00:0a:00:00:fe"))
                #expect(link.contains("mtu 1450"))
            }
        }

        @Test("a trunk carries a bridge with VMs behind it") func trunk() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let behind = try [
                    play.vm("first", 1, on: hosts[0], kind: .veth),
                    play.vm("second", 2, on: hosts[0], kind: .veth),
                ]
                let (first, second) = (Station(behind[0]), Station(behind[1]))
                let far = Station(try play.vm("far", 3, on: hosts[1]))
                try play.start(hosts[1])
                try play.start(hosts[0]) {
                    $0.ports = [
                        WeftdConfiguration.Port(
                            name: "lan", network: "blue", kind: "tap", device: "lan0",
                            settings: ["trunk": "true"])
                    ]
                }
                try addBridge("br0", of: ["lan0"] + behind.map(\.name), on: hosts[0])
                for station in [first, second] {
                    try play.expectReachable(station, far)
                    try play.transfer(station, far, megabytes: 50)
                }
                // The bridge has both; nobody else may answer for one of them and draw its
                // frames to the trunk.
                for _ in 0..<3 {
                    for vm in behind { try vm.namespace.sh("ip", "neigh", "flush", "all") }
                    try play.expectReachable(first, second)
                }
                #expect(try play.drops("samePort", hosts[0]) == 0)
            }
        }

        // MARK: VLAN

        /// A VM behind a veth, one behind a TAP of the same host, and one of another.
        private func vms(_ play: Scenario) throws -> (VM, VM, VM) {
            let hosts = try play.hosts(2)
            return try (
                play.vm("near", 1, on: hosts[0], kind: .veth),
                play.vm("beside", 2, on: hosts[0]), play.vm("far", 3, on: hosts[1])
            )
        }

        /// Three datagrams in VLAN 7, the largest nearly as large as the network takes.
        private func taggedFrames(_ from: VM, _ to: VM) -> [[UInt8]] {
            var frame = FrameBuilder(from, to)
            frame.tags = [7]
            return [1, 600, 1400].map { frame.udp(payload: payloadBytes($0)) }
        }

        private func passTags(_ configuration: inout WeftdConfiguration) {
            for index in configuration.networks.indices {
                configuration.networks[index].settings["vlan"] = "pass"
            }
        }
    }
}
