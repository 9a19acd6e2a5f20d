import BenchSupport
import Testing

@Suite struct RateSearchTests {
    /// Searches where every rate up to `capacity` passes; the rate found, and how many probes.
    private func find(_ capacity: Double) -> (rate: Double?, probes: Int) {
        var search = RateSearch(start: 100_000, limits: 1000...2_000_000, resolution: 0.04)
        var probes = 0
        while let rate = search.next {
            search.record(passed: rate <= capacity)
            probes += 1
        }
        return (search.best, probes)
    }

    @Test(arguments: [1001, 5000, 56_000, 99_999, 100_000, 123_000, 350_000, 1_900_000])
    func findsTheCapacityFromBelow(capacity: Double) throws {
        let found = find(capacity)
        let rate = try #require(found.rate)
        #expect(rate <= capacity)
        #expect(rate >= capacity / 1.04)
        #expect(found.probes <= 24)
    }

    @Test func stopsAtItsLimits() {
        #expect(find(.infinity).rate == 2_000_000)
        #expect(find(0).rate == nil)
    }

    @Test func aSingleStallDoesNotDecide() throws {
        var search = RateSearch(start: 100_000, limits: 1000...2_000_000, resolution: 0.04)
        var failedOnce: Set<Double> = []
        while let rate = search.next {
            search.record(passed: rate <= 150_000 && !failedOnce.insert(rate).inserted)
        }
        #expect(try #require(search.best) >= 150_000 / 1.04)
    }

    @Test func comesToAnEndWhateverTheAnswers() {
        for seed in 0..<32 {
            var search = RateSearch(
                start: 100_000, limits: 1000...2_000_000, resolution: 1e-9, probes: 20)
            var probes = 0
            while search.next != nil {
                search.record(passed: seed >> (probes % 5) & 1 == 1)
                probes += 1
                guard probes <= 20 else { break }
            }
            #expect(probes <= 20)
        }
    }

    @Test func aGoodGuessIsSearchedAround() {
        var search = RateSearch(
            start: 300_000, limits: 1000...2_000_000, resolution: 0.04, step: 1.15)
        var probes = 0
        while let rate = search.next {
            search.record(passed: rate <= 310_000)
            probes += 1
        }
        #expect(probes <= 7)
        #expect((search.best ?? 0) > 310_000 / 1.04)
        #expect((search.best ?? 0) <= 310_000)
    }

    @Test func aStartOutOfLimitsIsMovedWithin() {
        #expect(RateSearch(start: 1, limits: 10...20, resolution: 0.1).next == 10)
    }
}
