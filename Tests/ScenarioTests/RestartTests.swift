import ControlAPI
import FoundationEssentials
import Glibc
import Lab
import Testing

extension Scenarios {
    /// What a restart of a daemon loses, and what it keeps.
    @Suite("Restart") struct RestartTests {
        struct Case: CustomTestStringConvertible {
            var kind: VM.Kind
            var workers: Int
            var testDescription: String { "\(kind), \(workers) worker(s)" }
        }

        /// As many as come in a second, however long the restart takes here: all of them fit into
        /// the kernel's queues.
        private static let frames = 20_000

        @Test(
            "with descriptors kept, no frame is lost",
            arguments: [
                Case(kind: .tap, workers: 1), Case(kind: .tap, workers: 2),
                Case(kind: .veth, workers: 2),
            ])
        func keepsFrames(_ example: Case) throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], kind: example.kind))
                let far = Station(try play.vm("far", 2, on: hosts[1], kind: example.kind))
                let services = try hosts.map { try SystemdRole(name: "\($0.namespace.name)") }
                for (host, service) in zip(hosts, services) {
                    try play.start(host, by: service) { $0.workers = example.workers }
                }
                try play.expectReachable(near, far)
                for (host, service) in zip(hosts, services) {
                    #expect(service.hearsReadiness())
                    #expect(service.kept.count == 2, "\(service.kept)")
                    #expect(service.kept.values.allSatisfy { $0 == example.workers })
                    let stream = try play.beginStream(near, far, Self.frames)
                    let before = try play.total("fromPorts", hosts[0])
                    #expect(
                        try eventually(within: 10) {
                            try play.total("fromPorts", hosts[0]) > before + 1000
                        })
                    try play.stop(host, by: SIGTERM)
                    let daemon = try play.start(host, settingUp: false, by: service) {
                        $0.workers = example.workers
                    }
                    #expect(service.hearsReadiness(), "\(daemon.process.logTail())")
                    let report = try stream.finish()
                    #expect(report.arrived == Self.frames, "\(host.name): \(report)")
                    #expect(report.twice == 0 && report.late == 0, "\(host.name): \(report)")
                    print("restart of \(host.name), \(example): \(report)")
                    // Otherwise all had passed before the restart.
                    #expect(try play.total("fromPorts", hosts[0]) > 0)
                    let log = daemon.process.logTail()
                    #expect(log.contains("1 open devices, 1 endpoints"), "\(log)")
                }
            }
        }

        @Test("what no longer fits is closed, and the ports work")
        func closes() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0]))
                let other = Station(try play.vm("other", 3, on: hosts[0]))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                let service = try SystemdRole(name: "\(hosts[0].namespace.name)")
                try play.start(hosts[1])
                try play.start(hosts[0], by: service)
                try play.expectReachable(near, far)
                try play.expectReachable(other, far)
                #expect(service.hearsReadiness())
                #expect(service.kept.count == 3 && service.kept.values.allSatisfy { $0 == 1 })
                try play.stop(hosts[0], by: SIGTERM)
                let daemon = try play.start(hosts[0], settingUp: false, by: service) {
                    $0.workers = 2
                    $0.ports.removeAll { $0.name == "other" }
                }
                #expect(service.hearsReadiness(), "\(daemon.process.logTail())")
                #expect(try play.port("near").state == .up)
                #expect(service.kept.count == 2 && service.kept.values.allSatisfy { $0 == 2 })
                #expect(daemon.process.logTail().contains("closed what no port has any more: tap/"))
                try play.expectReachable(near, far)
            }
        }

        @Test("a killed daemon's queues are gone on with")
        func killed() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0]))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                let service = try SystemdRole(name: "\(hosts[0].namespace.name)")
                try play.start(hosts[1])
                try play.start(hosts[0], by: service)
                try play.expectReachable(near, far)
                #expect(service.hearsReadiness())
                let stream = try play.beginStream(near, far, Self.frames)
                let before = try play.total("fromPorts", hosts[0])
                #expect(
                    try eventually(within: 10) {
                        try play.total("fromPorts", hosts[0]) > before + 1000
                    })
                try play.stop(hosts[0], by: SIGKILL)
                let daemon = try play.start(hosts[0], settingUp: false, by: service)
                #expect(service.hearsReadiness(), "\(daemon.process.logTail())")
                let report = try stream.finish()
                // What it had read is lost with it: less than its buffers hold.
                #expect(report.arrived >= Self.frames - 1024, "\(report)")
                #expect(daemon.process.logTail().contains("1 open devices"))
            }
        }

        @Test("without, what was learned is known from the start, and traffic goes on soon")
        func cold() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0]))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                for host in hosts { try play.start(host) { $0.ports[0].learnsAll() } }
                try play.expectReachable(near, far)
                let known = try play.endpoints(hosts[0]).count
                #expect(known >= 2)
                let stream = try play.beginStream(near, far, 3 * Self.frames)
                let before = try play.total("fromPorts", hosts[0])
                #expect(
                    try eventually(within: 10) {
                        try play.total("fromPorts", hosts[0]) > before + 1000
                    })
                try play.stop(hosts[0], by: SIGTERM)
                let daemon = try play.start(hosts[0], settingUp: false) {
                    $0.ports[0].learnsAll()
                }
                try daemon.waitUntilReady(for: [])
                #expect(try play.endpoints(hosts[0]).count >= known)
                let report = try stream.finish()
                print("cold restart: \(report)")
                #expect(report.arrived > Self.frames, "\(report)")
                #expect(daemon.process.logTail().contains("0 open devices, "))
            }
        }
    }
}

/// Numbered datagrams under way.
private struct Stream {
    struct Report: Decodable {
        var arrived: Int
        var twice: Int
        var late: Int
        /// Seconds without a datagram, at most.
        var longest: Double
    }

    let receiver: LabProcess
    let sender: LabProcess

    /// Waits for the end.
    func finish() throws -> Report {
        #expect(try eventually(within: 40) { !receiver.isRunning && !sender.isRunning })
        return try JSONDecoder().decode(Report.self, from: Data(receiver.logTail(lines: 1).utf8))
    }
}

extension WeftdConfiguration.Port {
    /// Has nothing fixed.
    fileprivate mutating func learnsAll() {
        macs = []
        ips = []
    }
}

extension Scenario {
    /// Sends numbered datagrams, 20,000 a second.
    fileprivate func beginStream(_ from: Station, _ to: Station, _ count: Int) throws -> Stream {
        let program = ["python3", script("numbered.py")]
        let receiver = try to.spawn(
            program + ["receive", "7200", "\(count)"], name: programName("numbered"))
        #expect(try eventually(within: 10) { receiver.logTail().contains("ready") })
        let sender = try from.spawn(
            program + ["send", to.addresses[0], "7200", "\(count)", "20000", "200"],
            name: programName("numbers"))
        return Stream(receiver: receiver, sender: sender)
    }

    /// Ends the daemon of a host.
    fileprivate func stop(_ host: Host, by signal: Int32) throws {
        let old = try #require(daemons.first { $0.host === host })
        old.process.signal(signal)
        #expect(try eventually(within: 10) { !old.process.isRunning })
    }
}
