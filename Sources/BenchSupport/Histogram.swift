/// Counts of values in log-linear buckets: exact below 2048, then 1024 buckets to each power of
/// two, so that a value is known to better than 0.1 % (three significant digits).
///
/// Values are of any unit; above 2^40 - 1 (18 minutes of nanoseconds) they count as that.
package struct Histogram {
    /// Buckets to a power of two, as a power of two.
    private static let precision = 10
    private static let limit: UInt64 = 1 << 40 - 1

    private var counts = [UInt64](repeating: 0, count: Self.bucket(of: Self.limit) + 1)
    /// How many values were recorded.
    package private(set) var count: UInt64 = 0
    /// The largest value, exactly; 0 if there is none.
    package private(set) var max: UInt64 = 0

    /// A histogram of nothing.
    package init() {}

    /// Counts a value.
    package mutating func record(_ value: UInt64) {
        let value = Swift.min(value, Self.limit)
        counts[Self.bucket(of: value)] += 1
        count += 1
        max = Swift.max(max, value)
    }

    /// The smallest value that at least the share `quantile` (0...1) of all values do not exceed,
    /// rounded up to its bucket's end; nil if nothing was recorded.
    package func value(atQuantile quantile: Double) -> UInt64? {
        guard count > 0 else { return nil }
        let rank = Swift.max(1, UInt64((quantile * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, number) in counts.enumerated() {
            seen += number
            if seen >= rank { return Swift.min(Self.lastValue(of: bucket), max) }
        }
        return max
    }

    /// Below 2 << precision each value has its bucket. Above, the value's leading bits are the
    /// place within its power of two, and each power of two begins where the one before ended.
    private static func bucket(of value: UInt64) -> Int {
        let shift = Swift.max(0, 63 - value.leadingZeroBitCount - precision)
        return shift << precision + Int(value >> UInt64(shift))
    }

    private static func lastValue(of bucket: Int) -> UInt64 {
        let shift = Swift.max(0, bucket >> precision - 1)
        let leading = UInt64(bucket - shift << precision)
        return (leading + 1) << UInt64(shift) - 1
    }
}
