import ControlAPI
import FoundationEssentials
import Glibc
import Lab
import Testing
import Wire

//   one-0 ─────── switch ─────── one-1
//   ├─ blue1  ── numbered frames ──> ├─ blue2
//   └─ others come, change and go ── ┘

extension Scenarios {
    /// Changes of a running host.
    @Suite("Live changes") struct LiveChangeTests {
        private static let green = LabNetwork("green", vni: 200)

        @Test(
            "nobody else loses a frame while networks, ports, peers and filters change",
            .enabled(if: Lab.hasProgram("weft-bench"), "WEFT_BIN has no weft-bench to count with"))
        func nobodyElseNotices() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let blue1 = try play.vm("blue1", 1, on: hosts[0])
                let blue2 = try play.vm("blue2", 2, on: hosts[1])
                try play.startAll()
                try play.expectReachable(Station(blue1), Station(blue2))
                let green1 = try play.vm("green1", 1, on: hosts[0], network: Self.green)
                let green2 = try play.vm("green2", 2, on: hosts[1], network: Self.green)
                let stream = try Stream(blue1, blue2, rate: 100_000, seconds: 6)
                var rounds = 0
                while stream.isRunning {
                    rounds += 1
                    try changeOthers(play, green1, green2)
                }
                let report = try stream.finish()
                #expect(rounds > 0)
                #expect(report.sink.unique == report.generator.offered, "\(report)")
                #expect(report.sink.duplicates == 0)
                #expect(report.sink.reordered == 0)
            }
        }

        /// A network, ports, a filter and a peer come, work, and go.
        private func changeOthers(_ play: Scenario, _ green1: VM, _ green2: VM) throws {
            let hosts = [green1.host, green2.host]
            for vm in [green1, green2] { try play.reload(vm.host, adding: [vm]) }
            try play.expectReachable(Station(green1), Station(green2))
            // A filter that does not let the VM's address pass, and a peer that is not there.
            try play.reload(hosts[0]) { configuration in
                let last = configuration.ports.count - 1
                configuration.ports[last].ips = [.v4(.init(bits: 0x0a00_0063))]
                configuration.peers.append(
                    .init(name: "nobody", address: .v4(.init(bits: 0xac1f_00c8))))
            }
            #expect(try !play.answers("10.0.0.2", from: Station(green1)), "the filter holds")
            #expect(try play.drops("spoofedIP", hosts[0]) > 0)
            for host in hosts {
                try play.reload(host) { configuration in
                    configuration.ports.removeAll { $0.network == Self.green.name }
                    configuration.networks.removeAll { $0.name == Self.green.name }
                }
            }
            let status = try play.status(hosts[0])
            #expect(status.ports.map(\.name) == ["blue1"])
            #expect(status.networks.map(\.name) == ["blue"])
            #expect(status.peers.map(\.name) == [hosts[1].name])
            #expect(try !green1.namespace.hasInterface("eth0"), "its TAP went with the port")
        }

        @Test("a wrong file, or one that changes what is read at start, changes nothing")
        func refusedWhole() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                try play.startAll()
                let daemon = play.daemons[0]
                let right = play.lab.weftdConfiguration(for: hosts[0]).yaml
                let wrong = [
                    right + "prots: []\n": "unknown key",
                    right + "busyPoll: off\n": "busyPoll: read at start only",
                ]
                for (yaml, complaint) in wrong {
                    try daemon.write(yaml)
                    daemon.process.signal(SIGHUP)
                    #expect(try eventually { daemon.process.logTail().contains(complaint) })
                    try play.expectReachable(Station(near), Station(far))
                }
                #expect(try play.status(hosts[0]).ports.map(\.name) == ["near"])
            }
        }

        @Test("a port moves to another network, and a network gets another VNI")
        func moves() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                try play.startAll()
                try play.expectReachable(Station(near), Station(far))
                // The far host alone is in another VNI: they hear nothing of each other.
                try play.reload(hosts[1]) { $0.networks[0].vni = 101 }
                #expect(try !play.answers("10.0.0.2", from: Station(near)))
                try play.reload(hosts[0]) { configuration in
                    configuration.networks.append(.init(name: "other", vni: 101))
                    configuration.ports[0].network = "other"
                }
                try play.expectReachable(Station(near), Station(far))
                let places = try play.endpoints(hosts[0]).filter { $0.mac == "\(near.mac)" }
                #expect(places.map(\.network) == ["other"])
            }
        }
    }
}

/// Numbered frames from one VM to another, and who counts them.
private struct Stream {
    struct Generator: Decodable {
        var offered: Int
        var refused: Int
    }
    struct Sink: Decodable {
        var unique: Int
        var duplicates: Int
        var reordered: Int
        var droppedBySink: Int
    }

    private let generator: LabProcess
    private let sink: LabProcess

    init(_ from: VM, _ to: VM, rate: Int, seconds: Int) throws {
        let program = "\(Lab.programDirectory)/weft-bench"
        let count = ["--run", "7", "--frames", "\(rate * seconds)"]
        sink = try to.spawn(
            [program, "sink"] + count + ["--seconds", "\(seconds * 2 + 20)"], name: "sink")
        let sink = sink
        #expect(try eventually { sink.logTail() == "ready" })
        generator = try from.spawn(
            [program, "generate", "--from", "\(from.addresses[0].address)", "\(from.mac)"]
                + ["--to", "\(to.addresses[0].address)", "\(to.mac)"] + count
                + ["--rate", "\(rate)", "--limit", "\(seconds * 2)"], name: "generate")
    }

    var isRunning: Bool { generator.isRunning }

    func finish() throws -> (generator: Generator, sink: Sink) {
        usleep(200_000)
        sink.stop()
        return (try report(generator), try report(sink))
    }

    private func report<Report: Decodable>(_ process: LabProcess) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(process.logTail(lines: 1).utf8))
    }
}

extension Scenario {
    /// Gives a daemon the configuration of its host as the lab is now, changed, and waits until it
    /// has taken it over, and until VMs that it adds have their devices.
    func reload(
        _ host: Host, adding vms: [VM] = [],
        _ change: (inout WeftdConfiguration) -> Void = { _ in }
    ) throws {
        let daemon = try #require(daemons.first { $0.host === host }, "no daemon on \(host.name)")
        var configuration = lab.weftdConfiguration(for: host)
        change(&configuration)
        try daemon.write(configuration.yaml)
        let before = daemon.process.logTail(lines: 1)
        daemon.process.signal(SIGHUP)
        #expect(
            try eventually {
                let line = daemon.process.logTail(lines: 1)
                return line != before && line.contains("read again")
            }, "\(host.name): \(daemon.process.logTail())")
        try daemon.waitUntilReady(for: vms)
    }
}

extension Weftd {
    /// Replaces its configuration file.
    fileprivate func write(_ yaml: String) throws {
        try Data(yaml.utf8).write(to: URL(filePath: configurationPath))
    }
}
