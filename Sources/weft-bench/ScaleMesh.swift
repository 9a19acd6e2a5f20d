import FoundationEssentials
import Glibc
import Lab
import Wire

/// Real daemons in one lab, each a peer of all others, a VM on each.
struct MeshScale {
    let labName: String
    /// Hosts of the largest mesh; the smaller ones are half of it, and so on down to 2.
    let largest: Int

    private static let broadcasts = 500
    private static let broadcastsPerSecond = 500

    func measure(_ report: inout ScaleReport) throws {
        let limits = try NeighborLimits()
        defer { limits.restore() }
        let network = LabNetwork("bench", vni: 100)
        try Lab.with(name: labName) { lab in
            var hosts = 2
            while hosts <= largest {
                while lab.hosts.count < hosts {
                    let host = try lab.addHost()
                    guard let address = VM.Address("10.0.0.\(host.index + 1)/24") else { continue }
                    try lab.addVM(
                        "vm\(host.index)", on: host, network: network, addresses: [address])
                }
                try measure(lab, &report)
                hosts *= 2
            }
        }
    }

    private func measure(_ lab: Lab, _ report: inout ScaleReport) throws {
        let scenario = "mesh-\(lab.hosts.count)"
        let start = monotonicNanoseconds()
        let since = { (moment: UInt64) in Double(monotonicNanoseconds() - moment) / 1e9 }
        let daemons = try lab.hosts.map { host in
            try lab.startWeftd(on: host, wait: false)
        }
        defer { Self.stop(daemons, lab.vms) }
        for daemon in daemons { try daemon.waitUntilReady(timeout: .seconds(60)) }
        let ready = since(start)
        let probe = try MeshProbe(lab.vms, subnet: IPv4Address(bits: 0x0a00_00ff))
        let asked = monotonicNanoseconds()
        try probe.waitUntilAllAnswer(timeout: .seconds(60))
        report.add(.daemons, scenario, "all daemons ready", "s", [ready], places: 2)
        report.add(
            .daemons, scenario, "then all pairs answer", "s", [since(asked)], places: 2)

        let pids = daemons.map(\.process.pid)
        let memory = try pids.map(ProcessMemory.init(of:))
        report.add(
            .daemons, scenario, "resident per host", "MiB", memory.map(\.resident), places: 1)
        report.add(
            .daemons, scenario, "proportional per host", "MiB", memory.map(\.proportional),
            places: 1)
        try flood(probe, pids, scenario, &report)
    }

    /// Broadcasts of one VM to all hosts: what the sending daemon's processor time is for one copy.
    private func flood(
        _ probe: MeshProbe, _ pids: [Int32], _ scenario: String, _ report: inout ScaleReport
    ) throws {
        let before = try Self.processorSeconds(of: pids)
        let heard = probe.heard
        probe.broadcast(Self.broadcasts, perSecond: Self.broadcastsPerSecond)
        let after = try Self.processorSeconds(of: pids)
        let copies = Self.broadcasts * (pids.count - 1)
        report.add(
            .daemons, scenario, "flood: copies that arrived", "%",
            [Double(probe.heard - heard) / Double(copies) * 100], places: 1)
        report.add(
            .daemons, scenario, "flood: sender's CPU per frame", "us",
            [(after[0] - before[0]) / Double(Self.broadcasts) * 1e6], places: 1)
        let receivers = zip(after, before).dropFirst().map { ($0 - $1) / Double(Self.broadcasts) }
        report.add(
            .daemons, scenario, "flood: receivers' CPU per frame", "us", receivers.map { $0 * 1e6 },
            places: 1)
    }

    /// Of each process by its own clock, threads that have ended included.
    private static func processorSeconds(of pids: [Int32]) throws -> [Double] {
        try pids.map { pid in
            var clock = clockid_t()
            var time = timespec()
            guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else {
                throw BenchError("process \(pid) has no CPU clock; has it ended?")
            }
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }

    /// Ends the daemons and removes their TAPs, which outlive them so that a VM keeps its device.
    private static func stop(_ daemons: [Weftd], _ vms: [VM]) {
        for daemon in daemons { daemon.process.signal(SIGTERM) }
        for daemon in daemons { daemon.process.stop() }
        // What is left goes with its namespace.
        for vm in vms { _ = try? vm.run(["ip", "link", "delete", "eth0"]) }
    }
}

/// The kernel keeps at most 1024 neighbours for all namespaces together; a mesh of 64 has 4032.
private struct NeighborLimits {
    private static let wanted = [("gc_thresh3", 16384), ("gc_thresh2", 8192), ("gc_thresh1", 8192)]
    private let before: [(path: String, value: String)]

    /// Raises the limits.
    init() throws {
        before = try Self.wanted.map { name, _ in
            let path = "/proc/sys/net/ipv4/neigh/default/\(name)"
            return (path, try readText(path))
        }
        for (entry, wanted) in zip(before, Self.wanted) {
            try Self.write("\(wanted.1)", to: entry.path)
        }
    }

    /// Sets them to what they were.
    func restore() {
        for entry in before.reversed() { try? Self.write(entry.value, to: entry.path) }
    }

    private static func write(_ value: String, to path: String) throws {
        try Data(value.utf8).write(to: URL(filePath: path))
    }
}
