import BenchSupport
import FoundationEssentials
import Lab

extension Bed {
    /// The share of frames that may be lost at a rate that counts.
    private static let lossLimit = 0.001
    /// The share of the rate that the generator has to reach: where the station's device takes no
    /// more, the generator waits for it and falls behind.
    private static let rateLimit = 0.98

    /// Searches the highest rate of 64-byte frames of one flow from source to destination.
    /// - Parameter hint: The answer of the round before, to search around.
    func measurePackets(seconds: Int, hint: Double?) throws -> ScenarioResult {
        let to = ["\(destination.address)", "\(destination.mac)"]
        var (figures, best) = try searchRate(
            to: to, sinks: [destination], seconds: seconds, hint: hint)
        figures["rate"] = best.rate / 1000
        return ScenarioResult(figures: figures, gigabits: best.gigabits, cost: best.cost)
    }

    /// Searches the highest rate of 64-byte broadcasts that arrive at all other stations.
    func measureFlood(seconds: Int, hint: Double?) throws -> ScenarioResult {
        let sinks = Array(stations.dropFirst())
        let to = ["10.0.0.255", "ff:ff:ff:ff:ff:ff"]
        var (figures, best) = try searchRate(
            to: to, sinks: sinks, seconds: seconds, hint: hint)
        figures["rate"] = best.rate / 1000
        figures["copies"] = best.rate * Double(sinks.count) / 1000
        return ScenarioResult(figures: figures, gigabits: best.gigabits, cost: best.cost)
    }

    private func searchRate(
        to destination: [String], sinks: [Station], seconds: Int, hint: Double?
    ) throws -> (figures: [String: Double], best: Probe) {
        // Neighbours are resolved and the overlay has learned by now.
        for sink in sinks { try Self.hideFrames(from: sink) }
        var search = RateSearch(
            start: hint ?? 100_000, limits: 1000...2_000_000, resolution: 0.04,
            step: hint == nil ? 2 : 1.15)
        var best: Probe?
        var run: UInt32 = 0
        // Why rates failed: frames were lost, or the device held the generator back.
        var (lossy, slow) = (0, 0)
        // A fifth of the time of a measurement, for each of several probes.
        let probeSeconds = max(1, seconds / 5)
        while let rate = search.next {
            run += 1
            let probe = try self.probe(
                to: destination, sinks: sinks, rate: Int(rate), seconds: probeSeconds, run: run)
            let isLossy = probe.loss >= Self.lossLimit
            let isSlow = probe.offeredRate < rate * Self.rateLimit
            if isLossy { lossy += 1 }
            if isSlow { slow += 1 }
            search.record(passed: !isLossy && !isSlow)
            if !isLossy && !isSlow { best = probe }
        }
        guard let best else {
            throw LabError.timedOut(
                waitingFor: "a rate without loss",
                detail: "even a thousand frames a second did not arrive")
        }
        let figures = [
            "loss": best.loss, "reordered": best.sum(\.reordered),
            "duplicates": best.sum(\.duplicates), "probes": Double(run),
            "probes-with-loss": Double(lossy), "probes-below-rate": Double(slow),
        ]
        return (figures, best)
    }

    /// What a sink has seen the station's stack must not see too: it would answer each frame
    /// with an error.
    private static func hideFrames(from station: Station) throws {
        let ruleset = """
            add table netdev bench
            add chain netdev bench ingress { type filter hook ingress device eth0 priority 0; \
            policy drop; }

            """
        try Command(["nft", "-f", "-"], input: ruleset).inside(station.namespace).check()
    }

    /// One rate, for some seconds.
    private struct Probe {
        var generator: GeneratorReport
        var sinks: [SinkReport]
        var cost: Cost

        /// The share that did not arrive where most were lost.
        var loss: Double {
            1 - Double(sinks.map(\.unique).min() ?? 0) / Double(max(1, generator.offered))
        }
        var offeredRate: Double { Double(generator.offered) / generator.seconds }
        /// Frames a second that arrived, at each sink.
        var rate: Double { sum(\.unique) / Double(sinks.count) / generator.seconds }
        var gigabits: Double { sum(\.unique) * Double(ProbeFrame.length) * 8 / 1e9 }

        func sum(_ count: (SinkReport) -> Int) -> Double {
            Double(sinks.map(count).reduce(0, +))
        }
    }

    private func probe(
        to destination: [String], sinks: [Station], rate: Int, seconds: Int, run: UInt32
    ) throws -> Probe {
        let frames = rate * seconds
        let arguments = [
            "sink", "--run", "\(run)", "--frames", "\(frames)", "--seconds", "\(seconds * 2 + 10)",
        ]
        var helpers: [LabProcess] = []
        defer { for helper in helpers { helper.stop() } }
        for sink in sinks { helpers.append(try startHelper(arguments, on: sink, name: "sink")) }
        let generate =
            [Self.program, "generate", "--from", "\(source.address)", "\(source.mac)", "--to"]
            + destination
            + [
                "--run", "\(run)", "--rate", "\(rate)", "--frames", "\(frames)",
                "--limit", "\(seconds * 2)",
            ]
        let (generator, cost) = try measure {
            let output = try Command(generate, timeout: .seconds(seconds * 2 + 10))
                .inside(source.namespace).check()
            return try JSONDecoder().decode(GeneratorReport.self, from: Data(output.utf8))
        }
        // Frames that are on their way still count.
        try pause(.milliseconds(100))
        return Probe(generator: generator, sinks: try helpers.map(Self.report), cost: cost)
    }

    /// Ends a sink and reads what it counted.
    private static func report(of sink: LabProcess) throws -> SinkReport {
        sink.stop()
        let log = Data(sink.logTail(lines: 1).utf8)
        guard let report = try? JSONDecoder().decode(SinkReport.self, from: log) else {
            throw LabError.processEnded(sink.name, log: sink.logTail())
        }
        guard report.droppedBySink == 0 else {
            throw LabError.processEnded(
                sink.name,
                log: "it fell behind by \(report.droppedBySink) frames: no measure of the system")
        }
        return report
    }
}
