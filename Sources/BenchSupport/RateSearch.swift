/// Finds the highest rate that passes, by trying rates one after another.
///
/// 1. From `start` the rate is multiplied by `step` while it passes, or divided while it fails.
/// 2. Between the highest that passed and the lowest that failed, the geometric mean is tried
///    until the two are within `resolution` of each other.
///
/// A rate has failed when it did so `attempts` times: on a shared machine a single stall must not
/// decide. Each answer either halves the interval or uses up a probe, so it comes to an end.
package struct RateSearch {
    private let start: Double
    private let limits: ClosedRange<Double>
    private let resolution: Double
    private let step: Double
    private let attempts: Int
    private var probesLeft: Int
    private var failuresHere = 0
    private var failed: Double?

    /// The highest rate that passed; nil if none did.
    package private(set) var best: Double?

    /// A search within `limits`, of at most `probes` answers.
    /// - Parameters:
    ///   - start: The first rate; if it is out of `limits`, the nearest within.
    ///   - resolution: How far apart the last two rates may be, as a share: 0.04 is 4 %.
    ///   - step: How far apart the first rates are: 2 where nothing is known, less where `start`
    ///     is near the answer.
    package init(
        start: Double, limits: ClosedRange<Double>, resolution: Double, step: Double = 2,
        attempts: Int = 2, probes: Int = 24
    ) {
        precondition(limits.lowerBound > 0 && resolution > 0 && attempts > 0 && step > 1)
        self.start = min(max(start, limits.lowerBound), limits.upperBound)
        self.step = step
        self.limits = limits
        self.resolution = resolution
        self.attempts = attempts
        probesLeft = probes
    }

    /// The rate to try; nil when the search is over.
    package var next: Double? {
        guard probesLeft > 0 else { return nil }
        switch (best, failed) {
        case (nil, nil):
            return start
        case (let passed?, nil):
            return passed < limits.upperBound ? min(passed * step, limits.upperBound) : nil
        case (nil, let failed?):
            return failed > limits.lowerBound ? max(failed / step, limits.lowerBound) : nil
        case (let passed?, let failed?):
            return failed / passed > 1 + resolution ? (failed * passed).squareRoot() : nil
        }
    }

    /// Takes the answer for the rate that `next` gave.
    package mutating func record(passed: Bool) {
        guard let rate = next else { return }
        probesLeft -= 1
        if passed {
            best = rate
            failuresHere = 0
        } else {
            failuresHere += 1
            if failuresHere == attempts {
                failed = rate
                failuresHere = 0
            }
        }
    }
}
