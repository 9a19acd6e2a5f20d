import ArgumentParser
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

    @Option(name: .customLong("scenario"), help: "A scenario; may be given several times.")
    var scenarios = Scenario.allCases
    @Option(
        help: "Systems to take turns, separated by commas: \(System.names(System.allCases)).",
        transform: System.list)
    var systems: [System] = [.weft, .kernel]
    @Option(help: "How often each system has its turn (default: 5; with --quick 2).")
    var rounds: Int?
    @Option(help: "Seconds of a measurement, 1 to 60 (default: 5; with --quick 2).")
    var seconds: Int?
    @Flag(help: "Fewer and shorter rounds: to see that it works, not to quote.")
    var quick = false
    @Option(help: "What CPUs with nothing to do are let do.")
    var idle = IdleMode.poll
    @Option(help: "Also write every single measurement to this file.")
    var json: String?
    @Option(help: "The name of the lab, which begins the names of its namespaces.")
    var name = "bench"

    private var plan: Plan {
        Plan(
            scenarios: scenarios, systems: systems, rounds: rounds ?? (quick ? 2 : 5),
            seconds: seconds ?? (quick ? 2 : 5), idle: idle, labName: name)
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
        let run: Run
        do {
            run = try plan.carryOut { progress in
                print(progress)
                fflush(nil)
            }
        } catch LabError.interrupted {
            print("interrupted; everything that was made is removed")
            throw ExitCode(130)
        }
        print(Report(run).text, terminator: "")
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(run).write(to: URL(filePath: json))
        }
        if !run.failures.isEmpty { throw ExitCode.failure }
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
