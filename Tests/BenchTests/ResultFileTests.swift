import BenchSupport
import Foundation
import Testing

/// A measurement on a quiet machine of two CPUs, for a second.
private func turn(
    _ system: String, _ round: Int, _ throughput: Double, busy: Double = 1, others: Double = 0,
    daemons: Double? = nil
) -> BenchSupport.Measurement {
    BenchSupport.Measurement(
        scenario: "tcp-1500", system: system, round: round,
        figures: ["throughput": throughput], gigabits: throughput, megapackets: nil,
        usage: Usage(
            wall: 1, busy: busy, softirq: 0.25, steal: 0, daemons: daemons, others: others,
            cpus: 2))
}

private func run(_ turns: [BenchSupport.Measurement], systems: [String] = ["weft", "kernel"])
    -> ResultFile
{
    var file = ResultFile(
        date: "2026-01-31T23:59:59Z", commit: "abc",
        machine: MachineDescription(
            cpus: 2, cpu: "a CPU", kernel: "6.1", build: "release", packages: ["iperf3": "3.12"]),
        method: .init(rounds: 3, seconds: 1, idle: "poll"))
    file.add(
        turns, scenario: "tcp-1500",
        figures: [Figure("throughput", "Gbit/s", places: 2, better: .more)], systems: systems)
    return file
}

@Suite struct ResultFileTests {
    @Test func rowsHaveMedianRangeAndCost() throws {
        let file = run([
            turn("weft", 1, 4, busy: 1.5, others: 0.5, daemons: 0.25), turn("weft", 2, 5),
            turn("weft", 3, 4.5),
        ])
        let row = try #require(file.results.first)
        #expect((row.min, row.median, row.max, row.rounds) == (4, 4.5, 5, 3))
        // 1 s over 4, 5 and 4.5 gigabits; strangers' half second is no cost.
        #expect(row.cpuSPerGbit == 1 / 4.5)
        #expect(row.cpuSPerMpkt == nil)
        #expect(row.daemonShare == 0.25)
        #expect(row.softirqShare == 0.25)
    }

    @Test func noiseIsNamed() {
        let quiet = run([turn("weft", 1, 4), turn("weft", 2, 4.1)])
        #expect(quiet.results[0].noise == [])
        let apart = run([turn("weft", 1, 4), turn("weft", 2, 6)])
        #expect(apart.results[0].noise == ["rounds are 40 % apart"])
        let disturbed = run([turn("weft", 1, 4), turn("weft", 2, 4, others: 0.5)])
        #expect(disturbed.results[0].noise == ["others took up to 25 % of the CPUs in round 2"])
    }

    @Test func ratiosAreOfPairsAndSayWhetherRoundsAgree() throws {
        let file = run([
            turn("weft", 1, 6), turn("kernel", 1, 5), turn("weft", 2, 4), turn("kernel", 2, 5),
            turn("weft", 3, 5.5),
        ])
        let ratio = try #require(file.ratios.first { $0.metric == "throughput" })
        #expect((ratio.system, ratio.base, ratio.min, ratio.max) == ("weft", "kernel", 0.8, 1.2))
        #expect(ratio.isUndecided)
        let cost = try #require(file.ratios.first { $0.metric == "cpu_s_per_gbit" })
        #expect(cost.better == .less)
        #expect(file.ratios.allSatisfy { $0.system != $0.base })
    }

    @Test func theFileIsWhatItsDocumentationSays() throws {
        let file = run([turn("weft", 1, 4), turn("kernel", 1, 5)])
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let data = try encoder.encode(file)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["schema"] as? Int == 1)
        let row = try #require((object["results"] as? [[String: Any]])?.first)
        #expect(
            Set(row.keys) == [
                "scenario", "system", "metric", "unit", "better", "median", "min", "max", "rounds",
                "cpu_s_per_gbit", "softirq_share", "noise",
            ])
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        #expect(try decoder.decode(ResultFile.self, from: data) == file)
    }
}

@Suite struct ComparisonTests {
    @Test func aChangeIsWhatDoesNotOverlap() throws {
        // The machine is half as fast in the second run, which ratios do not show.
        let before = run([
            turn("weft", 1, 10), turn("kernel", 1, 10), turn("weft", 2, 11), turn("kernel", 2, 10),
        ])
        let after = run([
            turn("weft", 1, 6), turn("kernel", 1, 5), turn("weft", 2, 6.5), turn("kernel", 2, 5),
        ])
        let changes = Comparison.all(from: before, to: after, base: "kernel")
        let weft = try #require(
            changes.first { $0.system == "weft" && $0.metric == "throughput" })
        #expect(weft.base == "kernel")
        #expect(weft.verdict == .better)
        let kernel = try #require(changes.first { $0.system == "kernel" })
        #expect(kernel.base == nil)
        #expect(kernel.verdict == .worse)
        #expect(kernel.ratio == 0.5)
    }

    @Test func overlappingRangesAreTheSame() throws {
        let before = run([turn("weft", 1, 10), turn("weft", 2, 12)])
        let after = run([turn("weft", 1, 11), turn("weft", 2, 13)])
        let changes = Comparison.all(from: before, to: after, base: "kernel")
        #expect(changes.map(\.verdict) == [.same])
        #expect(Comparison.all(from: before, to: run([]), base: "kernel") == [])
    }
}
