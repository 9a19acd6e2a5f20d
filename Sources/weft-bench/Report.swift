import BenchSupport

/// What a person reads at the end.
struct Report {
    private let file: ResultFile

    init(_ file: ResultFile) { self.file = file }

    /// The tables of all scenarios, then what was skipped and what failed.
    var text: String {
        var scenarios: [String] = []
        for row in file.results where scenarios.last != row.scenario {
            scenarios.append(row.scenario)
        }
        var text = scenarios.map(section).joined()
        if !file.skipped.isEmpty {
            text += "\nskipped:\n" + file.skipped.map { "  \($0)\n" }.joined()
        }
        if !file.failures.isEmpty {
            text += "\nfailed:\n" + file.failures.map { "  \($0)\n" }.joined()
        }
        return text
    }

    private func section(_ scenario: String) -> String {
        let rows = file.results.filter { $0.scenario == scenario }
        let ratios = file.ratios.filter { $0.scenario == scenario }
        var text = "\n\(scenario): \(file.method.rounds) rounds of \(file.method.seconds) s\n"
        text += table(of: rows)
        if !ratios.isEmpty { text += "\n" + table(of: ratios) }
        text += rows.flatMap { row in
            row.noise.map { "  NOISY: \(row.system), \(row.metric): \($0)\n" }
        }.joined()
        return text
    }

    private func table(of rows: [ResultRow]) -> String {
        let head = [
            "system", "metric", "unit", "median", "min", "max", "CPU s/Gbit", "CPU s/Mpkt",
            "daemon", "softirq",
        ]
        let cells = rows.map { row in
            let places = row.unit == "conn/s" ? 0 : 2
            return [row.system, row.metric, row.unit]
                + [row.median, row.min, row.max].map { decimal($0, places: places) }
                + [row.cpuSPerGbit, row.cpuSPerMpkt].map {
                    $0.map { decimal($0, places: 3) } ?? "-"
                }
                + [row.daemonShare, row.softirqShare].map { $0.map(percent) ?? "-" }
        }
        return align([head] + cells, textColumns: 3)
    }

    /// A row for each system and metric, a column for each system that it is compared with.
    private func table(of ratios: [RatioRow]) -> String {
        let bases = ResultFile.bases.filter { base in ratios.contains { $0.base == base } }
        var keys: [(system: String, metric: String)] = []
        for ratio in ratios where !keys.contains(where: { $0 == (ratio.system, ratio.metric) }) {
            keys.append((ratio.system, ratio.metric))
        }
        let rows = keys.map { key in
            [key.system, key.metric]
                + bases.map { base in
                    ratios.first {
                        ($0.system, $0.metric, $0.base) == (key.system, key.metric, base)
                    }
                    .map(cell) ?? "-"
                }
        }
        return align([["ratio", ""] + bases.map { "to \($0)" }] + rows, textColumns: 2)
    }

    /// The median, and the least and the most; a question mark where rounds disagree on which of
    /// the two systems is the better.
    private func cell(_ ratio: RatioRow) -> String {
        let range = "(\(decimal(ratio.min, places: 2))-\(decimal(ratio.max, places: 2)))"
        return (ratio.isUndecided ? "? " : "") + "\(decimal(ratio.median, places: 2)) \(range)"
    }
}

/// Columns as wide as their widest cell; the first ones to the left, numbers to the right.
func align(_ rows: [[String]], textColumns: Int) -> String {
    guard let head = rows.first else { return "" }
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = row.enumerated().map { column, cell in
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            return column < textColumns ? cell + padding : padding + cell
        }
        return "  " + cells.joined(separator: "  ") + "\n"
    }.joined()
}

extension Measurement {
    /// A line of progress.
    func summary(of scenario: Scenario) -> String {
        var parts = scenario.figures.compactMap { figure in
            figures[figure.metric].map {
                "\(figure.metric) \(decimal($0, places: figure.places)) \(figure.unit)"
            }
        }
        if let cost = secondsPerGigabit { parts.append("\(decimal(cost, places: 3)) CPU s/Gbit") }
        if let cost = secondsPerMegapacket {
            parts.append("\(decimal(cost, places: 3)) CPU s/Mpkt")
        }
        let noise =
            usage.isNoisy
            ? " [noisy: others \(percent(usage.othersShare)), stolen \(percent(usage.stealShare))]"
            : ""
        return parts.joined(separator: ", ") + noise
    }
}
