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
    func measurePackets(seconds: Int) throws -> ScenarioResult {
        // Neighbours are resolved and the overlay has learned by now. What the sink has seen the
        // destination's stack must not see too: it would answer each frame with an error.
        let table = "add table netdev bench"
        let chain =
            "add chain netdev bench ingress { type filter hook ingress device eth0 priority 0; "
            + "policy drop; }"
        try Command(["nft", "-f", "-"], input: "\(table)\n\(chain)\n")
            .inside(destination.namespace).check()

        var search = RateSearch(start: 100_000, limits: 1000...2_000_000, resolution: 0.04)
        var best: Probe?
        var run: UInt32 = 0
        // Why rates failed: frames were lost, or the device held the generator back.
        var (lossy, slow) = (0, 0)
        // A fifth of the time of a measurement, for each of several probes.
        let probeSeconds = max(1, seconds / 5)
        while let rate = search.next {
            run += 1
            let probe = try self.probe(rate: Int(rate), seconds: probeSeconds, run: run)
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
        return ScenarioResult(
            figures: [
                "kframes/s": Double(best.sink.unique) / best.generator.seconds / 1000,
                "loss": best.loss, "reordered": Double(best.sink.reordered),
                "duplicates": Double(best.sink.duplicates), "probes": Double(run),
                "probes with loss": Double(lossy), "probes below rate": Double(slow),
            ],
            work: Double(best.sink.unique) / 1e6, usage: best.usage)
    }

    private struct Probe {
        var generator: GeneratorReport
        var sink: SinkReport
        var usage: Usage

        var loss: Double { 1 - Double(sink.unique) / Double(max(1, generator.offered)) }
        var offeredRate: Double { Double(generator.offered) / generator.seconds }
    }

    /// One rate, for some seconds.
    private func probe(rate: Int, seconds: Int, run: UInt32) throws -> Probe {
        let frames = rate * seconds
        let sink = try startHelper(
            [
                "sink", "--run", "\(run)", "--frames", "\(frames)",
                "--seconds", "\(seconds * 2 + 10)",
            ], on: destination, name: "sink")
        defer { sink.stop() }
        let generate = [
            Self.program, "generate", "--from", "\(source.address)", "\(source.mac)",
            "--to", "\(destination.address)", "\(destination.mac)", "--run", "\(run)",
            "--rate", "\(rate)", "--frames", "\(frames)", "--limit", "\(seconds * 2)",
        ]
        let (generator, usage) = try Usage.measure(daemons: daemons) {
            let output = try Command(generate, timeout: .seconds(seconds * 2 + 10))
                .inside(source.namespace).check()
            return try JSONDecoder().decode(GeneratorReport.self, from: Data(output.utf8))
        }
        // Frames that are on their way still count.
        try pause(.milliseconds(100))
        sink.stop()
        let log = Data(sink.logTail(lines: 1).utf8)
        guard let report = try? JSONDecoder().decode(SinkReport.self, from: log) else {
            throw LabError.processEnded("sink in \(destination.name)", log: sink.logTail())
        }
        guard report.droppedBySink == 0 else {
            throw LabError.processEnded(
                "sink in \(destination.name)",
                log: "it fell behind by \(report.droppedBySink) frames: no measure of the system")
        }
        return Probe(generator: generator, sink: report, usage: usage)
    }
}
