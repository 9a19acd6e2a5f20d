import BenchSupport
import Glibc

/// What `weft-bench scale` has measured so far; each row is printed when it comes.
struct ScaleReport {
    /// Where a figure comes from; the result file's system.
    enum Source: String {
        /// Daemons in a lab.
        case daemons = "weft"
        /// Forwarding's own tables in this program.
        case simulation = "weft-simulated"
    }

    /// Beyond this share of the median between the best and the worst round, figures are doubtful.
    private static let spreadLimit = 0.25

    private(set) var rows: [ResultRow] = []

    /// Adds a figure by its rounds, or by its hosts.
    mutating func add(
        _ source: Source, _ scenario: String, _ metric: String, _ unit: String, _ values: [Double],
        places: Int
    ) {
        guard let summary = Summary(values) else { return }
        // What differs from host to host is no noise.
        let isNoisy = source == .simulation && summary.spread > Self.spreadLimit
        let noise = isNoisy ? ["rounds are \(percent(summary.spread)) apart"] : []
        rows.append(
            ResultRow(
                scenario: scenario, system: source.rawValue, metric: metric, unit: unit,
                summary: summary, rounds: values.count, noise: noise))
        Self.printRow(
            [scenario, source.rawValue, metric, unit]
                + [summary.median, summary.min, summary.max].map { decimal($0, places: places) }
                + noise.map { "NOISY: \($0)" })
    }

    /// Prints the heading of the rows.
    static func printHeading() {
        printRow(["scenario", "system", "metric", "unit", "median", "min", "max"])
    }

    private static func printRow(_ cells: [String]) {
        let widths = [26, 16, 33, 8, 11, 11, 11, 0]
        let padded = zip(cells, widths).enumerated().map { column, cell in
            let space = String(repeating: " ", count: max(1, cell.1 - cell.0.count))
            return column < 4 ? cell.0 + space : space + cell.0
        }
        print(padded.joined())
        fflush(nil)
    }
}
