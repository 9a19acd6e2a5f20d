import ArgumentParser
import BenchSupport

/// `weft-bench compare`: what became of the figures from one run to another.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare the results of two runs.",
        discussion: """
            What both runs measured against --base is compared by that ratio: two runs meet the \
            machine in different moods, ratios of pairs within a run do not. A change counts \
            where the ranges of the two runs do not overlap.
            """)

    @Argument(help: "The results of the earlier run.", completion: .file(extensions: ["json"]))
    var before: String
    @Argument(help: "Those of the later one.", completion: .file(extensions: ["json"]))
    var after: String
    @Option(help: "The system to compare by.")
    var base = System.kernel

    func run() throws {
        let (first, second) = (try ResultFile.read(before), try ResultFile.read(after))
        print("from \(first.commit) (\(first.date)) to \(second.commit) (\(second.date))")
        let (was, now) = (first.machine, second.machine)
        if (was.cpu, was.cpus, was.kernel) != (now.cpu, now.cpus, now.kernel) {
            print("NOT THE SAME MACHINE: \(was.summary); \(now.summary)")
        }
        if first.method != second.method {
            print("NOT MEASURED ALIKE: \(first.method); \(second.method)")
        }
        let head = ["scenario", "system", "metric", "by", "before", "after", "change", ""]
        let rows = Comparison.all(from: first, to: second, base: base.rawValue).map { change in
            [
                change.scenario, change.system, change.metric,
                change.base.map { "/ \($0)" } ?? change.unit,
                decimal(change.before, places: 3), decimal(change.after, places: 3),
                change.ratio.map { "x \(decimal($0, places: 2))" } ?? "-",
                change.verdict.rawValue,
            ]
        }
        guard !rows.isEmpty else { throw BenchError("the two runs have nothing in common") }
        print(align([head] + rows, textColumns: 4), terminator: "")
    }
}
