import ControlAPI
import Lab
import Testing

//   one-0 ─────── switch ─────── one-1
//   └─ near 10.0.0.1             └─ far 10.0.0.2

extension Scenarios {
    /// An underlay whose MTU changes while traffic flows.
    @Suite("Paths") struct PathTests {
        /// What makes the path smaller.
        enum Narrowing: CaseIterable { case device, route }

        @Test(
            "a path that becomes smaller is followed, and one that becomes larger again",
            arguments: Narrowing.allCases)
        func narrower(by narrowing: Narrowing) throws {
            try scenario(LabOptions(mtu: 9001)) { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0]))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                try play.startAll()
                try play.expectReachable(near, far)
                try expectMTUs(play, 8951, within: 1)

                let transfer = try play.beginTransfer(near, far, megabytes: 60, seconds: 4)
                #expect(try eventually { try play.total("fromPorts", hosts[0]) > 1000 })
                try set(1500, narrowing, on: hosts)
                try expectMTUs(play, 1450, within: 2.5)
                try transfer.finish()
                let refused = try hosts.map { try play.drops("pathTooSmall", $0) }
                #expect(refused.allSatisfy { $0 > 0 }, "\(refused)")
                try expectSegmentation(play)
                try play.transfer(near, far, megabytes: 10)

                // Nothing is refused by a larger path: it is measured every ten seconds.
                try set(9001, narrowing, on: hosts)
                try expectMTUs(play, 8951, within: 11)
                try play.transfer(near, far, megabytes: 10)
                try expectSegmentation(play)
            }
        }

        private func set(_ mtu: Int, _ narrowing: Narrowing, on hosts: [Host]) throws {
            for (host, other) in zip(hosts, hosts.reversed()) {
                let what =
                    switch narrowing {
                    case .device: ["link", "set", "eth0"]
                    case .route: ["route", "replace", "\(other.vtep)", "dev", "eth0"]
                    }
                try Command(["ip"] + what + ["mtu", "\(mtu)"]).inside(host.namespace).check()
            }
        }

        /// The networks' MTU, and that of the VMs' devices, on both hosts.
        private func expectMTUs(_ play: Scenario, _ mtu: Int, within seconds: Double) throws {
            for host in play.lab.hosts {
                var status = try play.status(host)
                let isFollowed = try eventually(within: seconds) {
                    status = try play.status(host)
                    return status.networks.map(\.mtu) == [mtu] && status.ports.map(\.mtu) == [mtu]
                }
                #expect(isFollowed, "\(host.name): \(status.peers), \(status.ports)")
            }
        }

        private func expectSegmentation(_ play: Scenario) throws {
            for host in play.lab.hosts {
                for worker in try play.status(host).workers {
                    #expect(worker.features["udpSegment"]?.inUse == true, "\(host.name)")
                    #expect(worker.features["trains"]?.inUse == true, "\(host.name)")
                }
            }
        }
    }
}
