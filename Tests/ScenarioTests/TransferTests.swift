import Lab
import Testing

//   one-0 ─────── switch ─────── one-1
//   ├─ near                      └─ far
//   └─ beside

extension Scenarios {
    /// Much data, over everything that is between two VMs.
    @Suite("Transfers") struct TransferTests {
        @Test(
            "bulk data arrives whole, both ways, across hosts and on one", arguments: [1500, 9001],
            [false, true])
        func bulk(mtu: Int, ipv6Underlay: Bool) throws {
            try scenario(LabOptions(mtu: mtu, ipv6Underlay: ipv6Underlay)) { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], ipv6: true))
                let beside = Station(try play.vm("beside", 2, on: hosts[0], ipv6: true))
                let far = Station(try play.vm("far", 3, on: hosts[1], ipv6: true))
                try play.startAll()
                try play.expectReachable(near, far)
                try play.transfer(near, far)
                try play.transfer(near, beside)
            }
        }

        @Test(
            "iperf3 runs without a storm of retransmissions",
            arguments: [["-P", "1"], ["-P", "4"], ["-P", "1", "-R"], ["-P", "4", "-R"]])
        func iperf(arguments: [String]) throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                try play.startAll()
                let report = try near.iperf(to: far, arguments + ["-t", "1"])
                let segments = report.bytes / 1398
                #expect(report.bytes > 10_000_000)
                #expect(report.retransmits * 20 < segments, "of \(segments) segments")
            }
        }

        @Test("datagrams arrive unchanged, in superframes and alone", arguments: [1500, 9001])
        func datagrams(mtu: Int) throws {
            try scenario(LabOptions(mtu: mtu)) { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], ipv6: true))
                let beside = Station(try play.vm("beside", 2, on: hosts[0], ipv6: true))
                let far = Station(try play.vm("far", 3, on: hosts[1], ipv6: true))
                try play.startAll()
                for address in [0, 1] {
                    for to in [far, beside] {
                        try play.expectDatagramsIntact(near, to, address: address)
                    }
                }
                try play.expectDatagramsIntact(near, far, count: 1000, batch: 1)
                // The last of each superframe is shorter than the others.
                try play.expectDatagramsIntact(near, far, count: 2011, length: 997, batch: 33)
                // Fragments: larger than the network's MTU.
                try play.expectDatagramsIntact(near, far, count: 200, length: 20_000, batch: 1)
            }
        }

        @Test("iperf3 sends UDP") func iperfUDP() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                try play.startAll()
                let report = try near.iperf(to: far, ["-u", "-b", "100M", "-l", "1400", "-t", "1"])
                #expect(report.bytes > 5_000_000)
                #expect(report.lostPercent < 10)
            }
        }
    }
}
