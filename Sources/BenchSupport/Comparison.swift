/// A system's metric in two runs: of two revisions, or of two machines.
package struct Comparison: Equatable {
    /// What became of it.
    package enum Verdict: String {
        case better, worse
        /// The ranges of the two runs overlap: whatever changed does not show.
        case same
    }

    /// The scenario's name.
    package var scenario: String
    /// The system's name.
    package var system: String
    /// The metric's name.
    package var metric: String
    /// What it is counted in; empty for a ratio.
    package var unit: String
    /// With which system it is compared within its own run; nil if the figure itself is compared.
    package var base: String?
    /// The median of the first run.
    package var before: Double
    /// The median of the second.
    package var after: Double
    /// What became of it.
    package var verdict: Verdict

    /// The second run's median as a multiple of the first's.
    package var ratio: Double? { before == 0 ? nil : after / before }

    /// All that both runs have, in the order of the second.
    ///
    /// What both runs have against `base` is compared by that ratio, which does not move with the
    /// machine's mood; what has none, as the base itself, by its figures.
    package static func all(from first: ResultFile, to second: ResultFile, base: String)
        -> [Comparison]
    {
        let byRatio = second.ratios.filter { $0.base == base }.compactMap { new in
            first.ratios.first { $0.isLike(new) }.map { old in
                Comparison(
                    scenario: new.scenario, system: new.system, metric: new.metric, unit: "",
                    base: base, before: old.median, after: new.median,
                    verdict: verdict(old.min...old.max, new.min...new.max, new.better))
            }
        }
        let byFigure = second.results.compactMap { new -> Comparison? in
            guard let better = new.better, !byRatio.contains(where: { $0.isOf(new) }),
                let old = first.results.first(where: { $0.isLike(new) })
            else { return nil }
            return Comparison(
                scenario: new.scenario, system: new.system, metric: new.metric, unit: new.unit,
                base: nil, before: old.median, after: new.median,
                verdict: verdict(old.min...old.max, new.min...new.max, better))
        }
        return byRatio + byFigure
    }

    private func isOf(_ row: ResultRow) -> Bool {
        (scenario, system, metric) == (row.scenario, row.system, row.metric)
    }

    private static func verdict(
        _ before: ClosedRange<Double>, _ after: ClosedRange<Double>, _ better: Figure.Better
    ) -> Verdict {
        if before.overlaps(after) { return .same }
        let isMore = after.lowerBound > before.upperBound
        return isMore == (better == .more) ? .better : .worse
    }
}

extension RatioRow {
    fileprivate func isLike(_ other: RatioRow) -> Bool {
        (scenario, system, metric, base)
            == (other.scenario, other.system, other.metric, other.base)
    }
}

extension ResultRow {
    fileprivate func isLike(_ other: ResultRow) -> Bool {
        (scenario, system, metric) == (other.scenario, other.system, other.metric)
    }
}
