import Logging
import Testing
import weftd

/// With a clock of the test's own.
@Suite("Limits of the log")
struct LogLimiterTests {
    private static let second: UInt64 = 1_000_000_000
    private let site = LogLimiter.Site(file: "A.swift", line: 1)
    private let other = LogLimiter.Site(file: "A.swift", line: 2)

    /// How many of `count` lines at one moment are written.
    private func admitted(
        _ count: Int, of site: LogLimiter.Site, by limiter: inout LogLimiter, at now: UInt64
    ) -> Int {
        (0..<count).count { limiter.admits(LogLine(.warning, "line \($0)"), of: site, now: now) }
    }

    @Test("a place writes a burst, then ten lines a second; others write on")
    func budget() {
        var limiter = LogLimiter()
        #expect(admitted(1000, of: site, by: &limiter, at: 5) == 200)
        #expect(admitted(3, of: other, by: &limiter, at: 5) == 3)
        #expect(admitted(1000, of: site, by: &limiter, at: 5 + Self.second / 10 - 1) == 0)
        #expect(admitted(1000, of: site, by: &limiter, at: 5 + Self.second / 10) == 1)
        // A line every millisecond for ten seconds.
        let written = (1...10_000).reduce(0) { sum, millisecond in
            let now = Self.second + UInt64(millisecond) * Self.second / 1000
            return sum + admitted(1, of: site, by: &limiter, at: now)
        }
        #expect((100...110).contains(written), "\(written)")
        #expect(admitted(1000, of: site, by: &limiter, at: 60 * Self.second) == 200)
    }

    @Test("what was left out is told of when it has ended, once")
    func end() {
        var limiter = LogLimiter()
        #expect(limiter.due(now: 0).isEmpty)
        #expect(admitted(200, of: site, by: &limiter, at: 0) == 200)
        #expect(!limiter.isHolding)
        #expect(admitted(42, of: site, by: &limiter, at: 0) == 0)
        #expect(limiter.isHolding)
        #expect(limiter.due(now: Self.second - 1).isEmpty)
        let lines = limiter.due(now: Self.second)
        #expect(lines.map(\.message) == ["left out 42 more like: line 41"])
        #expect(lines.map(\.level) == [.warning])
        #expect(lines.first?.details == ["leftOut": "42", "seconds": "1"])
        #expect(!limiter.isHolding)
        #expect(limiter.due(now: 100 * Self.second).isEmpty)
    }

    @Test("what does not end is told of each minute")
    func longest() {
        var limiter = LogLimiter()
        var written = 0
        var told: [(UInt64, LogLine)] = []
        let ticks: UInt64 = 150 * 100
        for tick in 0..<ticks {
            let now = tick * Self.second / 100
            written += admitted(1, of: site, by: &limiter, at: now)
            told += limiter.due(now: now).map { (now / Self.second, $0) }
        }
        told += limiter.finish().map { (150, $0) }
        #expect(told.count == 3)
        // Nothing is told twice, and nothing is missing.
        let leftOut = told.compactMap { line in line.1.details["leftOut"].flatMap { Int("\($0)") } }
        #expect(written + leftOut.reduce(0, +) == Int(ticks))
        #expect(told.dropFirst().first.map { $0.0 - told[0].0 } == 60)
    }
}
