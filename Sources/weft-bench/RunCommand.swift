import ArgumentParser
import BenchSupport
import FoundationEssentials
import Glibc
import Lab

extension Scenario: ExpressibleByArgument {}
extension System: ExpressibleByArgument {}
extension IdleMode: ExpressibleByArgument {}

/// `weft-bench run`: the rounds, and the report.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run scenarios over systems in alternating rounds, and report.",
        discussion: """
            Needs root and weftd beside this program (or in WEFT_BIN); makes only network \
            namespaces, and removes them, also after Ctrl-C. The exit status is 0 if every \
            measurement came about. bench/README.md says what is measured and how to read it.
            """)

    @Option(
        name: .customLong("scenario"),
        help: "A scenario; may be given several times (default: all; with --quick some).")
    var scenarios: [Scenario] = []
    @Option(
        help: """
            Systems to take turns, separated by commas: \(System.names(System.allCases)) \
            (default: all but kernel-nocsum; with --quick also without weft-busypoll).
            """,
        transform: System.list)
    var systems: [System]?
    @Option(help: "How often each system has its turn (default: 5; with --quick 3).")
    var rounds: Int?
    @Option(help: "Seconds of a measurement, 1 to 60 (default: 3; with --quick 1).")
    var seconds: Int?
    @Flag(help: "Fewer scenarios, systems and rounds, and shorter: not to quote.")
    var quick = false
    @Option(help: "What CPUs with nothing to do are let do.")
    var idle = IdleMode.poll
    @Option(
        help: "Write the results here; in a directory, to a file <date>-<commit>.json.",
        completion: .file())
    var json: String?
    @Option(help: "The name of the lab, which begins the names of its namespaces.")
    var name = "bench"

    private static let quickScenarios: [Scenario] = [.tcp, .tcpJumbo, .packets, .roundTrip]

    private var plan: Plan {
        let allScenarios = quick ? Self.quickScenarios : Scenario.allCases
        let allSystems: [System] =
            quick ? [.weft, .kernel, .ovs, .wire] : [.weft, .weftBusyPoll, .kernel, .ovs, .wire]
        return Plan(
            scenarios: scenarios.isEmpty ? allScenarios : scenarios,
            systems: systems ?? allSystems, rounds: rounds ?? (quick ? 3 : 5),
            seconds: seconds ?? (quick ? 1 : 3), idle: idle, labName: name)
    }

    func validate() throws {
        guard (1...100).contains(plan.rounds) else {
            throw ValidationError("--rounds is 1 to 100")
        }
        guard (1...60).contains(plan.seconds) else {
            throw ValidationError("--seconds is 1 to 60")
        }
    }

    func run() throws {
        Interruption.catchSignals()
        let file: ResultFile
        do {
            file = try plan.carryOut { progress in
                print(progress)
                fflush(nil)
            }
        } catch LabError.interrupted {
            print("interrupted; everything that was made is removed")
            throw ExitCode(130)
        }
        print(Report(file).text, terminator: "")
        if let json { print("written: \(try file.write(to: json))") }
        if !file.failures.isEmpty { throw ExitCode.failure }
    }
}

extension System {
    /// Reads system names separated by commas.
    static func list(_ text: String) throws -> [System] {
        try text.split(separator: ",").map { name in
            guard let system = System(rawValue: String(name)) else {
                throw ValidationError("no system '\(name)'; there are \(names(allCases))")
            }
            return system
        }
    }

    static func names(_ systems: [System]) -> String {
        systems.map(\.rawValue).joined(separator: ",")
    }
}
