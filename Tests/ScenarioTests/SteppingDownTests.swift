import ControlAPI
import Lab
import Testing

//   one-0 ─────── switch ─────── one-1
//   ├─ near                      └─ far
//   └─ beside

extension Scenarios {
    /// The same traffic while workers do without what the kernel offers.
    @Suite("Stepping down") struct SteppingDownTests {
        /// What to do without, and what the status says of it.
        struct Step: CustomTestStringConvertible, Sendable {
            var offloads: [String] = []
            var checksum = true
            var workers = 1
            /// Features that are off, and a part of the reason.
            var off: [String: String]

            var testDescription: String {
                (offloads + (checksum ? [] : ["checksum"]) + (workers > 1 ? ["2 workers"] : []))
                    .joined(separator: " ")
            }

            init(without offloads: String..., also: [String: String] = [:]) {
                self.offloads = offloads
                off = also.merging(offloads.map { ($0, "offloads.\($0)") }) { $1 }
            }

            static let all: [Step] = {
                let trains = ["trains": "UDP_SEGMENT"]
                var zero = Step(also: trains.merging(["udpSegment": "underlay.checksum"]) { $1 })
                zero.checksum = false
                var two = Step()
                two.workers = 2
                return [
                    Step(without: "uso"), Step(without: "udpSegment", also: trains),
                    Step(without: "udpGRO"), Step(without: "readMultishot"),
                    Step(without: "coalesce"), Step(without: "trains"),
                    Step(
                        without: "uso", "udpSegment", "udpGRO", "readMultishot", "coalesce",
                        "trains"), zero, two,
                ]
            }()
        }

        @Test("traffic arrives whole, and the status says why", arguments: Step.all)
        func step(_ step: Step) throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], ipv6: true))
                let beside = Station(try play.vm("beside", 2, on: hosts[0], ipv6: true))
                let far = Station(try play.vm("far", 3, on: hosts[1], ipv6: true))
                try play.startAll { configure(&$0, step) }
                for other in [far, beside] {
                    try play.expectReachable(near, other)
                    try play.transfer(near, other, megabytes: 15)
                    try play.expectDatagramsIntact(near, other, count: 2000)
                }
                for host in hosts { try expectStatus(play.status(host), step) }
            }
        }

        @Test("hosts that can do more and hosts that can do less understand each other")
        func mixed() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], ipv6: true))
                let far = Station(try play.vm("far", 2, on: hosts[1], ipv6: true))
                try play.start(hosts[0])
                try play.start(hosts[1]) { configure(&$0, Step.all[6]) }
                try play.expectReachable(near, far)
                try play.transfer(near, far, megabytes: 15)
                try play.expectDatagramsIntact(near, far, count: 2000)
                try play.expectDatagramsIntact(far, near, count: 2000)
            }
        }

        private func configure(_ configuration: inout WeftdConfiguration, _ step: Step) {
            configuration.workers = step.workers
            if !step.checksum { configuration.underlaySettings["checksum"] = "false" }
            let keys = step.offloads.map { "\($0): false" }.joined(separator: ", ")
            configuration.settings["offloads"] = "{ \(keys) }"
        }

        private func expectStatus(_ status: Status, _ step: Step) throws {
            #expect(status.workers.count == step.workers)
            for worker in status.workers {
                for (name, reason) in step.off {
                    let feature = try #require(worker.features[name], "no feature \(name)")
                    #expect(!feature.inUse, "\(name)")
                    #expect(feature.reason?.contains(reason) == true, "\(name): \(feature)")
                }
                for (name, feature) in worker.features where step.off[name] == nil {
                    #expect(feature.inUse || feature.reason != nil, "\(name): off without reason")
                }
            }
        }
    }
}
