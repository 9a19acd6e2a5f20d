import ControlAPI
import Lab
import Testing

//   one-0 ─────── switch ─────── one-1
//   ├─ near 10.0.0.1             └─ far 10.0.0.2
//   └─ beside 10.0.0.3

extension Scenarios {
    /// What may pass a port, with traffic that would be more.
    @Suite("Limits") struct LimitTests {
        /// Bytes of a datagram's payload, and of its frame: Ethernet, IPv4 and UDP take 42.
        private static let payload = 1200
        private static let frame = 1242
        private static let seconds = 4.0

        @Test("the rate from a VM is kept, over the underlay and on the same host")
        func fromVM() throws {
            try scenario { play in
                let vms = try limited(play, "{fromVM: {rate: 40M, burst: 512Ki}}")
                for (number, to) in [vms.far, vms.beside].enumerated() {
                    try expectRate(
                        play, 40e6, "fromVM", from: vms.near, to: to, port: 5000 + number)
                }
                try expectDrops(play, "overRateFromVM", "fromVM")
            }
        }

        @Test("the rate to a VM is kept, over the underlay and on the same host")
        func toVM() throws {
            try scenario { play in
                let vms = try limited(play, "{toVM: {rate: 40M, burst: 512Ki}}")
                for (number, from) in [vms.far, vms.beside].enumerated() {
                    try expectRate(
                        play, 40e6, "toVM", from: from, to: vms.near, port: 5000 + number)
                }
                try expectDrops(play, "overRateToVM", "toVM")
            }
        }

        @Test("so are frames per second")
        func packets() throws {
            try scenario { play in
                let vms = try limited(play, "{fromVM: {packets: 4k}, toVM: {packets: 2k}}")
                let bits = Double(Self.frame * 8)
                // Those of 200 ms may pass at once.
                let burst = Double(Self.frame) * 800
                try expectRate(
                    play, 4000 * bits, "fromVM", from: vms.near, to: vms.far, port: 5000,
                    burst: burst)
                try expectRate(
                    play, 2000 * bits, "toVM", from: vms.far, to: vms.near, port: 5001,
                    burst: burst / 2)
                try expectDrops(play, "overPacketsFromVM", "fromVM")
            }
        }

        @Test("a superframe counts as the frames that it stands for")
        func superframes() throws {
            try scenario { play in
                let vms = try limited(play, "{fromVM: {packets: 5k}}")
                let host = play.lab.hosts[0]
                let before = try play.total("sent", host)
                let report = try vms.near.iperf(to: vms.far, ["-t", "4"])
                let sent = Double(try play.total("sent", host) - before)
                #expect(sent < 5000 * (report.seconds + 0.5) + 1000)
                #expect(sent > 5000 * report.seconds / 2)
                #expect(try play.drops("overPacketsFromVM", host) > 0)
            }
        }

        @Test("TCP comes near the rate in both directions", arguments: [false, true])
        func tcp(isReverse: Bool) throws {
            try scenario { play in
                let vms = try limited(play, "{fromVM: {rate: 200M}, toVM: {rate: 200M}}")
                // Of a frame of 1464 bytes 1398 are payload of TCP with time stamps.
                let goodput = 200e6 / 8 * 1398 / 1464
                var shares: [Double] = []
                _ = try eventually(within: 60) {
                    let report = try vms.near.iperf(
                        to: vms.far, ["-t", "8"] + (isReverse ? ["-R"] : []))
                    let burst = Double(200_000_000 / 8 / 5)
                    let bytes = Double(report.bytes)
                    // What passes is bounded by the clock of the limiter, not by that of the test.
                    #expect(bytes < goodput * (report.seconds + 0.5) + burst)
                    shares.append(bytes / (goodput * report.seconds))
                    return abs(shares[shares.count - 1] - 1) < 0.05
                }
                #expect(abs(shares[shares.count - 1] - 1) < 0.05, "\(shares)")
            }
        }

        @Test("limits come, change and go while traffic flows; others notice nothing")
        func live() throws {
            try scenario { play in
                let vms = try limited(play, nil)
                let host = play.lab.hosts[0]
                let transfer = try play.beginTransfer(
                    Station(vms.beside), Station(vms.far), megabytes: 60, seconds: 8)
                for rate in ["20M", "1G", "40M"] {
                    try play.reload(host) {
                        $0.workers = 2
                        $0.limit("near", "{fromVM: {rate: \(rate), burst: 512Ki}}")
                    }
                }
                try expectRate(play, 40e6, "fromVM", from: vms.near, to: vms.far, port: 5000)
                try play.reload(host) { $0.workers = 2 }
                #expect(try play.status(host).ports.allSatisfy { $0.limits == nil })
                let before = try play.drops("overRateFromVM", host)
                #expect(before > 0)
                let report = try vms.near.iperf(to: vms.far, udp(100e6))
                #expect(Double(report.bytes) > 45e6, "more than 40 Mbit/s pass again")
                #expect(try play.drops("overRateFromVM", host) == before)
                try transfer.finish()
            }
        }

        // MARK: - Words

        private func limited(
            _ play: Scenario, _ limits: String?
        ) throws -> (near: VM, beside: VM, far: VM) {
            let hosts = try play.hosts(2)
            let near = try play.vm("near", 1, on: hosts[0])
            let far = try play.vm("far", 2, on: hosts[1])
            let beside = try play.vm("beside", 3, on: hosts[0])
            // A limit is for all workers together.
            try play.start(hosts[0]) {
                $0.workers = 2
                if let limits { $0.limit("near", limits) }
            }
            try play.start(hosts[1])
            for other in [far, beside] {
                try play.expectReachable(Station(near), Station(other))
            }
            return (near, beside, far)
        }

        private func udp(_ rate: Double) -> [String] {
            ["-u", "-b", "\(Int(rate))", "-l", "\(Self.payload)", "-t", "\(Int(Self.seconds))"]
        }

        /// Sends three times as much as may pass, and expects that so much passes, and what of the
        /// burst was there.
        private func expectRate(
            _ play: Scenario, _ rate: Double, _ direction: String, from: VM, to: VM, port: Int,
            burst: Double = 524_288
        ) throws {
            var shares: [Double] = []
            // A machine that stands still for longer than the burst lasts makes it less.
            for _ in 0..<3 {
                let report = try from.iperf(to: to, udp(rate * 3), port: port)
                let bytes = Double(report.received) / Double(Self.payload) * Double(Self.frame)
                #expect(bytes < rate / 8 * (report.seconds + 0.5) + burst, "never more")
                shares.append(bytes / (rate / 8 * report.seconds + burst))
                if abs(shares[shares.count - 1] - 1) < 0.05 { return }
            }
            Issue.record("\(direction): \(shares) of the rate, from \(from.name) to \(to.name)")
        }

        /// Drops stand under their reason, and at the port under their direction.
        private func expectDrops(
            _ play: Scenario, _ reason: String, _ direction: String
        ) throws {
            let host = play.lab.hosts[0]
            let port = try #require(try play.status(host).ports.first { $0.name == "near" })
            let limit = direction == "fromVM" ? port.limits?.fromVM : port.limits?.toVM
            let count = try play.drops(reason, host)
            #expect(count > 1000)
            #expect(limit?.drops == count)
            #expect(port.counters.drops >= count)
        }
    }
}

extension WeftdConfiguration {
    /// Gives a port limits.
    fileprivate mutating func limit(_ name: String, _ limits: String) {
        for index in ports.indices where ports[index].name == name {
            ports[index].settings["limits"] = limits
        }
    }
}
