import BenchSupport

/// What a person reads at the end.
struct Report {
    /// Beyond this share of the median between the best and the worst round, figures are doubtful.
    static let spreadLimit = 0.25

    private let run: Run

    init(_ run: Run) { self.run = run }

    /// The tables of all scenarios, then what failed.
    var text: String {
        var text = run.plan.scenarios.map(section).joined()
        if !run.failures.isEmpty {
            text += "\nfailed:\n" + run.failures.map { "  \($0)\n" }.joined()
        }
        return text
    }

    private func section(_ scenario: Scenario) -> String {
        let plan = run.plan
        var text = "\n\(scenario.rawValue): \(plan.rounds) rounds of \(plan.seconds) s\n"
        var rows = [
            [
                "system", "figure", "median", "min", "max", "CPU s/\(scenario.unitOfWork)",
                "of it weftd",
            ]
        ]
        for figure in scenario.figures {
            for system in plan.systems {
                rows += row(scenario, system, figure)
            }
        }
        text += Self.align(rows)
        text += plan.systems.flatMap { ratios(scenario, $0) }.joined()
        text += plan.systems.flatMap { warnings(scenario, $0) }.joined()
        return text
    }

    private func measurements(_ scenario: Scenario, _ system: System) -> [Measurement] {
        run.measurements.filter { $0.scenario == scenario && $0.system == system }
    }

    private func row(
        _ scenario: Scenario, _ system: System, _ figure: Scenario.Figure
    ) -> [[String]] {
        let measured = measurements(scenario, system)
        guard let summary = Summary(measured.compactMap { $0.figures[figure.name] }),
            let cost = Summary(measured.map(\.cost))
        else { return [] }
        let values = [summary.median, summary.min, summary.max].map {
            decimal($0, places: figure.places)
        }
        let daemons = Summary(measured.compactMap(\.daemonCost))
        return [
            [system.rawValue, figure.name] + values + [
                decimal(cost.median, places: 3),
                daemons.map { decimal($0.median, places: 3) } ?? "-",
            ]
        ]
    }

    /// Each other system against the kernel, pair by pair of the same round.
    private func ratios(_ scenario: Scenario, _ system: System) -> [String] {
        guard system != .kernel, run.plan.systems.contains(.kernel) else { return [] }
        let series = { (system: System, value: (Measurement) -> Double?) in
            Dictionary(
                measurements(scenario, system).compactMap { turn in
                    value(turn).map { (turn.round, $0) }
                }, uniquingKeysWith: { first, _ in first })
        }
        var quantities: [(name: String, value: (Measurement) -> Double?)] =
            scenario.figures.map { figure in (figure.name, { $0.figures[figure.name] }) }
        quantities.append(("CPU s/\(scenario.unitOfWork)", { $0.cost }))
        return quantities.compactMap { name, value in
            Summary.ratios(of: series(system, value), to: series(.kernel, value)).map {
                "  \(system.rawValue)/kernel, \(name), round by round: "
                    + "\(decimal($0.median, places: 2)) "
                    + "(\(decimal($0.min, places: 2)) to \(decimal($0.max, places: 2)))\n"
            }
        }
    }

    private func warnings(_ scenario: Scenario, _ system: System) -> [String] {
        let measured = measurements(scenario, system)
        var warnings: [String] = []
        let first = scenario.figures[0].name
        if let summary = Summary(measured.compactMap { $0.figures[first] }),
            summary.spread > Self.spreadLimit
        {
            warnings.append(
                "  NOISY: \(system.rawValue)'s rounds are \(percent(summary.spread)) apart "
                    + "(limit \(percent(Self.spreadLimit)))\n")
        }
        let noisy = measured.filter(\.usage.isNoisy)
        if !noisy.isEmpty {
            let rounds = noisy.map { "\($0.round)" }.joined(separator: ", ")
            warnings.append(
                "  NOISY: during \(system.rawValue)'s rounds \(rounds) other processes or virtual "
                    + "machines took more than \(percent(Usage.noiseLimit)) of the CPUs\n")
        }
        return warnings
    }

    /// Columns as wide as their widest cell; text to the left, numbers to the right.
    private static func align(_ rows: [[String]]) -> String {
        guard let head = rows.first else { return "" }
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column < 2 ? cell + padding : padding + cell
            }
            return "  " + cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}
