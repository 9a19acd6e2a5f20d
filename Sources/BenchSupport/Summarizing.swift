extension ResultFile {
    /// Beyond this share of the median between the least and the greatest round, a figure is
    /// doubtful.
    package static let spreadLimit = 0.25
    /// Those that the others are compared with.
    package static let bases = ["kernel", "ovs", "wire"]

    /// Adds the rows of a scenario from its measurements, which are kept too.
    /// - Parameters:
    ///   - figures: The scenario's.
    ///   - systems: In the order in which they are to appear.
    package mutating func add(
        _ measurements: [Measurement], scenario: String, figures: [Figure], systems: [String]
    ) {
        self.measurements += measurements
        let bySystem = Dictionary(grouping: measurements, by: \.system)
        for figure in figures {
            results += systems.compactMap { system in
                bySystem[system].flatMap { Self.row(figure, of: $0) }
            }
        }
        for base in Self.bases {
            guard let divisors = bySystem[base] else { continue }
            for system in systems where system != base {
                guard let turns = bySystem[system] else { continue }
                ratios += Self.ratios(of: turns, to: divisors, figures: figures)
            }
        }
    }

    private static func row(_ figure: Figure, of turns: [Measurement]) -> ResultRow? {
        guard let first = turns.first,
            let summary = Summary(turns.compactMap { $0.figures[figure.metric] })
        else { return nil }
        let median = { (value: (Measurement) -> Double?) in
            Summary(turns.compactMap(value))?.median
        }
        return ResultRow(
            scenario: first.scenario, system: first.system, metric: figure.metric,
            unit: figure.unit, better: figure.better, median: summary.median, min: summary.min,
            max: summary.max, rounds: turns.count, cpuSPerGbit: median(\.secondsPerGigabit),
            cpuSPerMpkt: median(\.secondsPerMegapacket), daemonShare: median(\.daemonShare),
            softirqShare: median(\.softirqShare),
            noise: noise(of: turns, summary: figure.better == nil ? nil : summary))
    }

    /// Why figures of these turns are doubtful.
    private static func noise(of turns: [Measurement], summary: Summary?) -> [String] {
        var reasons: [String] = []
        if let summary, summary.spread > spreadLimit {
            reasons.append("rounds are \(whole(summary.spread)) % apart")
        }
        let noisy = turns.filter(\.usage.isNoisy)
        if let worst = noisy.map(\.usage).max(by: { $0.foreignShare < $1.foreignShare }) {
            let rounds = noisy.map { "\($0.round)" }.joined(separator: ", ")
            reasons.append(
                "others took up to \(whole(worst.foreignShare)) % of the CPUs in round \(rounds)")
        }
        return reasons
    }

    private static func ratios(
        of turns: [Measurement], to base: [Measurement], figures: [Figure]
    ) -> [RatioRow] {
        var quantities: [(String, Figure.Better, (Measurement) -> Double?)] =
            figures.compactMap { figure in
                figure.better.map { (figure.metric, $0, { $0.figures[figure.metric] }) }
            }
        quantities.append(("cpu_s_per_gbit", .less, { $0.secondsPerGigabit }))
        quantities.append(("cpu_s_per_mpkt", .less, { $0.secondsPerMegapacket }))
        return quantities.compactMap { metric, better, value in
            let series = { (turns: [Measurement]) in
                Dictionary(
                    turns.compactMap { turn in value(turn).map { (turn.round, $0) } },
                    uniquingKeysWith: { first, _ in first })
            }
            return Summary.ratios(of: series(turns), to: series(base)).map {
                RatioRow(
                    scenario: turns[0].scenario, metric: metric, better: better,
                    system: turns[0].system, base: base[0].system, median: $0.median, min: $0.min,
                    max: $0.max)
            }
        }
    }

    private static func whole(_ share: Double) -> Int { Int((share * 100).rounded()) }
}

extension Usage {
    fileprivate var foreignShare: Double { max(othersShare, stealShare) }
}
