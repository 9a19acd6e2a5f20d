import FoundationEssentials
import Lab

extension Bed {
    /// What windows and caches grow on, and spinning daemons learn from, before what counts.
    private static let warmUp = ["-n", "64M"]

    /// TCP from source to destination, or both ways, with iperf3.
    func measureTCP(
        seconds: Int, streams: Int = 1, bothWays: Bool = false
    ) throws -> ScenarioResult {
        _ = try runIperf(Self.warmUp, limit: 20)
        let shape = ["-P", "\(streams)"] + (bothWays ? ["--bidir"] : [])
        let (report, cost) = try runIperf(shape + ["-t", "\(seconds)"], limit: seconds + 10)
        var figures = [
            "throughput": report.bitsPerSecond / 1e9, "retransmits": Double(report.retransmits),
        ]
        if bothWays { figures["backward"] = report.backward / 1e9 }
        return ScenarioResult(figures: figures, gigabits: report.bytes * 8 / 1e9, cost: cost)
    }

    /// Datagrams with iperf3, as many as it can send; what arrived.
    func measureDatagrams(seconds: Int) throws -> ScenarioResult {
        let flood = ["-u", "-b", "0", "-l", "\(BulkDatagrams.size)"]
        let (report, cost) = try runIperf(flood + ["-t", "\(seconds)"], limit: seconds + 10)
        return ScenarioResult(
            figures: ["throughput": report.bitsPerSecond / 1e9, "loss": report.lossPercent],
            gigabits: report.bytes * 8 / 1e9, cost: cost)
    }

    /// The same with this program's own sender and receiver, which leave cutting and merging to
    /// the kernel: UDP_SEGMENT and UDP_GRO.
    func measureDatagramsUSO(seconds: Int) throws -> ScenarioResult {
        let port = "7008"
        let receiver = try startHelper(
            ["receive-datagrams", "--port", port, "--seconds", "\(seconds + 10)"],
            on: destination, name: "receiver")
        defer { receiver.stop() }
        let client = [
            Self.program, "send-datagrams", "\(destination.address)", "--port", port,
            "--seconds", "\(seconds)",
        ]
        let (sent, cost) = try measure {
            let output = try Command(client, timeout: .seconds(seconds + 10))
                .inside(source.namespace).check()
            return try JSONDecoder().decode(BulkDatagrams.self, from: Data(output.utf8))
        }
        try pause(.milliseconds(100))
        receiver.stop()
        let log = receiver.logTail(lines: 1)
        guard let arrived = try? JSONDecoder().decode(BulkDatagrams.self, from: Data(log.utf8)),
            arrived.bytes > 0
        else { throw LabError.processEnded("receiver in \(destination.name)", log: log) }
        let bits = Double(arrived.bytes) * 8
        return ScenarioResult(
            figures: [
                "throughput": bits / sent.seconds / 1e9,
                "loss": (1 - Double(arrived.bytes) / Double(sent.bytes)) * 100,
            ], gigabits: bits / 1e9, cost: cost)
    }
}
