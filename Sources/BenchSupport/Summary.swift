/// The middle and the ends of some figures.
package struct Summary: Equatable {
    /// The smallest.
    package let min: Double
    /// The one in the middle, or the mean of the two there.
    package let median: Double
    /// The largest.
    package let max: Double

    /// Nil for no figures.
    package init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        min = first
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        max = last
    }

    /// How far apart the ends are, as a share of the median; 0 where the median is.
    package var spread: Double { median == 0 ? 0 : (max - min) / median }

    /// Of two series by round, the ratio of each pair of the same round. Rounds that lack one of
    /// the two, or whose divisor is 0, are left out.
    package static func ratios(of series: [Int: Double], to base: [Int: Double]) -> Summary? {
        Summary(
            series.compactMap { round, value in
                guard let divisor = base[round], divisor != 0 else { return nil }
                return value / divisor
            })
    }
}
