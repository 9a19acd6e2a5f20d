import BenchSupport
import Testing

@Suite struct SummaryTests {
    @Test func medianOfOddAndEvenCounts() throws {
        let odd = try #require(Summary([5, 1, 3]))
        #expect((odd.min, odd.median, odd.max) == (1, 3, 5))
        let even = try #require(Summary([4, 1, 2, 10]))
        #expect((even.min, even.median, even.max) == (1, 3, 10))
        #expect(even.spread == 3)
        #expect(Summary([]) == nil)
        #expect(Summary([0, 0])?.spread == 0)
    }

    @Test func ratiosAreOfPairsOfTheSameRound() throws {
        // The machine was twice as fast in round 3: ratios do not show it, medians would.
        let ratios = try #require(
            Summary.ratios(of: [1: 10, 2: 11, 3: 24], to: [1: 10, 2: 10, 3: 20]))
        #expect((ratios.min, ratios.median, ratios.max) == (1, 1.1, 1.2))
    }

    @Test func roundsWithoutAPairAreLeftOut() {
        #expect(Summary.ratios(of: [1: 2, 2: 9], to: [1: 1, 3: 5])?.max == 2)
        #expect(Summary.ratios(of: [1: 2], to: [1: 0]) == nil)
    }
}
