import ControlAPI
import Glibc
import Lab
import Testing

//   one-0                        one-1
//   ├─ near 10.0.0.1             └─ room, without a device
//   └─ beside 10.0.0.2

extension Scenarios {
    /// TAPs that move, that others hold, and that are there already.
    @Suite("Devices") struct DeviceTests {
        @Test("a namespace that is made again under its name gets the TAP") func namespaceAgain()
            throws
        {
            try scenario { play in
                let (near, beside) = try pair(play, .veth)
                let daemon = try play.start(play.lab.hosts[0])
                try play.expectReachable(near, beside)
                for _ in 0..<3 {
                    try Command(["ip", "netns", "del", near.namespace.name]).check()
                    try Command(["ip", "netns", "add", near.namespace.name]).check()
                    try daemon.waitUntilReady()
                    #expect(try eventually { try play.port("near").state == .up })
                    #expect(try eventually { try play.answers("10.0.0.2", from: near) })
                }
                try play.expectReachable(near, beside)
                try play.transfer(near, beside, megabytes: 10)
            }
        }

        @Test(
            "a TAP that is moved or renamed goes on carrying frames",
            arguments: [(true, "eth0"), (false, "lan0"), (true, "lan0")])
        func moved(elsewhere: Bool, name: String) throws {
            try scenario { play in
                let (near, beside) = try pair(play, .veth)
                let room = Station(
                    try play.vm("room", 3, on: play.lab.hosts[1]), addresses: near.addresses)
                let daemon = try play.start(play.lab.hosts[0])
                try play.expectReachable(near, beside)
                let there = elsewhere ? room : near
                try near.namespace.sh(
                    "ip", "-batch", "-",
                    input: """
                        link set eth0 down
                        link set eth0 netns \(there.namespace.name) name \(name)

                        """)
                try there.namespace.sh(
                    "ip", "-batch", "-",
                    input: """
                        addr replace 10.0.0.1/24 dev \(name)
                        link set \(name) up

                        """)
                #expect(try eventually { try play.answers("10.0.0.2", from: there) })
                try play.expectReachable(there, beside)
                try play.transfer(there, beside, megabytes: 10)
                // The keeper looks for missing devices once a second.
                try pause(.milliseconds(1200))
                #expect(try play.port("near").state == .up)
                #expect(try play.port("near").mtu == 1450)
                #expect(try near.namespace.hasInterface("eth0") == (!elsewhere && name == "eth0"))
                if elsewhere {
                    // Where it came from is nothing to it any more.
                    try Command(["ip", "netns", "del", near.namespace.name]).check()
                    try pause(.milliseconds(1200))
                    try play.expectReachable(there, beside)
                    try Command(["ip", "netns", "add", near.namespace.name]).check()
                }
                try there.namespace.sh("ip", "link", "del", name)
                #expect(try eventually { try near.namespace.hasInterface("eth0") })
                try daemon.waitUntilReady()
                try play.expectReachable(near, beside)
            }
        }

        @Test("another number of workers takes the same TAPs over") func workers() throws {
            try scenario { play in
                let (near, beside) = try pair(play)
                let host = play.lab.hosts[0]
                var daemon = try play.start(host)
                let index = try near.namespace.sh("cat", "/sys/class/net/eth0/ifindex")
                for workers in [2, 1] {
                    try play.expectReachable(near, beside)
                    try play.transfer(near, beside, megabytes: 10)
                    daemon.process.stop()
                    daemon = try play.start(host, settingUp: false) { $0.workers = workers }
                    #expect(try eventually { try play.answers("10.0.0.2", from: near) })
                    #expect(try play.status(host).workers.count == workers)
                    #expect(try play.status(host).ports.allSatisfy { $0.state == .up })
                }
                try play.expectReachable(near, beside)
                try play.transfer(near, beside, megabytes: 10)
                #expect(try near.namespace.sh("cat", "/sys/class/net/eth0/ifindex") == index)
            }
        }

        @Test("a TAP that another daemon holds is left to it", arguments: [1, 2])
        func held(workers: Int) throws {
            try scenario { play in
                let (near, beside) = try pair(play)
                let host = play.lab.hosts[0]
                let first = try play.start(host) { $0.workers = workers }
                var other = play.lab.weftdConfiguration(for: host)
                other.underlayPort = 4790
                let path = "\(play.lab.directory)/other"
                try Command(["tee", "\(path).yaml"], input: other.yaml).check()
                let second = try host.spawn(
                    [
                        "\(Lab.programDirectory)/weftd", "--config", "\(path).yaml",
                        "--socket", "\(path).sock",
                    ], name: "second")
                let client = ControlClient(socket: "\(path).sock")
                #expect(try eventually { (try? client.status()) != nil })
                // Over more than one attempt, one line for each port.
                try pause(.milliseconds(2200))
                let lines = second.logTail().split(separator: "\n").filter {
                    $0.contains("port near")
                }
                #expect(lines.count == 1, "\(second.logTail())")
                #expect(lines.allSatisfy { $0.contains("another process holds its queue open") })
                #expect(try client.status().ports.allSatisfy { $0.state == .missing })
                try play.expectReachable(near, beside)
                try play.transfer(near, beside, megabytes: 10)
                // It has them once they are free.
                first.process.stop()
                #expect(try eventually { try client.status().ports.allSatisfy { $0.state == .up } })
                #expect(try eventually { try play.answers("10.0.0.2", from: near) })
                second.stop()
            }
        }

        private func pair(
            _ play: Scenario, _ kind: VM.Kind = .tap
        ) throws -> (Station, Station) {
            let hosts = try play.hosts(2)
            return try (
                Station(play.vm("near", 1, on: hosts[0])),
                Station(play.vm("beside", 2, on: hosts[0], kind: kind))
            )
        }
    }
}
