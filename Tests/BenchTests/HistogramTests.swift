import BenchSupport
import Testing

@Suite struct HistogramTests {
    @Test func nothingHasNoQuantile() {
        #expect(Histogram().value(atQuantile: 0.5) == nil)
    }

    @Test(arguments: [0, 1, 2047, 2048, 2049, 4095, 4096, 123_456, 987_654_321, 1 << 40 - 1])
    func aLoneValueIsEveryQuantile(value: UInt64) {
        var histogram = Histogram()
        histogram.record(value)
        for quantile in [0, 0.5, 1] { #expect(histogram.value(atQuantile: quantile) == value) }
    }

    @Test func quantilesAreRightToThreeDigits() throws {
        var histogram = Histogram()
        for value: UInt64 in 1...1_000_000 { histogram.record(value) }
        for quantile in [0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1] {
            let found = Double(try #require(histogram.value(atQuantile: quantile)))
            let exact = quantile * 1_000_000
            #expect(found >= exact)
            #expect(found <= exact * 1.001)
        }
    }

    @Test func aTailOfOneInAThousandShowsAboveItsQuantileOnly() throws {
        var histogram = Histogram()
        for _ in 0..<9990 { histogram.record(100) }
        for _ in 0..<10 { histogram.record(50_000) }
        #expect(histogram.value(atQuantile: 0.999) == 100)
        #expect(histogram.value(atQuantile: 0.9991) == 50_000)
        #expect(histogram.max == 50_000)
        #expect(histogram.count == 10_000)
    }

    @Test func whatIsTooLargeCountsAsTheLargest() {
        var histogram = Histogram()
        histogram.record(.max)
        #expect(histogram.value(atQuantile: 1) == 1 << 40 - 1)
    }
}
