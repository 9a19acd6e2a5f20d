import ArgumentParser
import BenchSupport
import Glibc
import Lab

/// `weft-bench scale`: what grows with endpoints, peers and hosts, and how.
struct ScaleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Measure how forwarding, tables, memory and meshes grow.",
        discussion: """
            Figures of weft-simulated are of forwarding's own tables within this program, without \
            a daemon or I/O; the others are of real daemons in one lab, which needs root. \
            bench/README.md says what is measured.
            """)

    /// What can be measured by itself.
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case forwarding, tables, peers, daemon, mesh
    }

    @Option(name: .customLong("part"), help: "A part; may be given several times (default: all).")
    var parts = Part.allCases
    @Flag(help: "Fewer rounds and hosts: to see that it works, not to quote.")
    var quick = false
    @Option(help: "Hosts of the largest mesh, a power of two up to 64 (default: 64, quick 8).")
    var hosts: Int?
    @Option(
        help: "Write the results here; in a directory, to a file <date>-<commit>-scale.json.",
        completion: .file())
    var json: String?
    @Option(help: "The name of the lab, which begins the names of its namespaces.")
    var name = "scale"

    private var largestMesh: Int { hosts ?? (quick ? 8 : 64) }

    func validate() throws {
        guard (2...64).contains(largestMesh), largestMesh & (largestMesh - 1) == 0 else {
            throw ValidationError("--hosts is 2, 4, 8, 16, 32 or 64")
        }
    }

    func run() throws {
        Interruption.catchSignals()
        var file = ResultFile(
            date: currentDate(), commit: currentCommit(), machine: .current(),
            method: ResultFile.Method(rounds: quick ? 5 : 15, seconds: 0, idle: "sleep"))
        print(file.machine.summary)
        ScaleReport.printHeading()
        var report = ScaleReport()
        do {
            for part in Part.allCases where parts.contains(part) {
                try Interruption.check()
                try measure(part, &report)
            }
        } catch LabError.interrupted {
            print("interrupted; everything that was made is removed")
            throw ExitCode(130)
        }
        file.results = report.rows
        if let json { print("written: \(try file.write(to: json, suffix: "-scale"))") }
    }

    private func measure(_ part: Part, _ report: inout ScaleReport) throws {
        switch part {
        case .forwarding: ForwardingScale(rounds: quick ? 5 : 15).measure(&report)
        case .tables: TableScale(rounds: quick ? 2 : 5).measure(&report)
        case .peers: PeerScale(rounds: quick ? 2 : 5).measure(&report)
        case .daemon:
            let endpoints = quick ? 100_000 : 1_000_000
            try DaemonScale(labName: name, endpoints: endpoints).measure(&report)
        case .mesh: try MeshScale(labName: name, largest: largestMesh).measure(&report)
        }
    }
}
