import FoundationEssentials
import Lab

/// What iperf3(1) measured, from what its client prints with `--json`.
struct IperfReport {
    /// Bits per second of payload that arrived, there and, if asked for, back.
    var bitsPerSecond: Double
    /// The part of it that went back; 0 if nothing was sent that way.
    var backward: Double
    /// Bytes that arrived.
    var bytes: Double
    /// TCP segments that were sent again.
    var retransmits: Int
    /// The share of datagrams that did not arrive, in percent; 0 for TCP.
    var lossPercent: Double

    /// Throws iperf3's own error message if it failed.
    init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(Document.self, from: Data(json.utf8))
        guard let end = report.end, let received = end.sumReceived, let sent = end.sumSent else {
            throw BenchError("iperf3: \(report.error ?? json)")
        }
        let reverse = end.sumReceivedBidirReverse
        backward = reverse?.bitsPerSecond ?? 0
        bitsPerSecond = received.bitsPerSecond + backward
        bytes = received.bytes + (reverse?.bytes ?? 0)
        retransmits = (sent.retransmits ?? 0) + (end.sumSentBidirReverse?.retransmits ?? 0)
        lossPercent = received.lostPercent ?? 0
    }

    /// The part of iperf3's document that is read.
    private struct Document: Decodable {
        struct Sum: Decodable {
            var bytes: Double
            var bitsPerSecond: Double
            var retransmits: Int?
            var lostPercent: Double?
        }
        struct End: Decodable {
            var sumReceived: Sum?
            var sumSent: Sum?
            var sumReceivedBidirReverse: Sum?
            var sumSentBidirReverse: Sum?
        }
        var error: String?
        var end: End?
    }
}

extension Bed {
    /// Runs iperf3 from source to destination. `limit` is when it is given up, in seconds.
    func runIperf(_ arguments: [String], limit: Int) throws -> (IperfReport, Cost) {
        let server = try destination.spawn(["iperf3", "-s", "-1"], "iperf3")
        defer { server.stop() }
        try wait(for: server) { try destination.namespace.isListening(onTCP: 5201) }
        let client = ["iperf3", "-c", "\(destination.address)", "--json"] + arguments
        return try measure {
            let result = try source.namespace.run(client, timeout: .seconds(limit))
            if result.timedOut {
                throw LabError.timedOut(waitingFor: "iperf3", detail: arguments.joined())
            }
            return try IperfReport(json: result.stdout)
        }
    }

    /// Waits until a server that was started is ready.
    func wait(for server: LabProcess, until isReady: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(3)
        while try !isReady() {
            guard server.isRunning, ContinuousClock.now < deadline else {
                throw LabError.timedOut(waitingFor: server.name, detail: server.logTail())
            }
            try pause(.milliseconds(5))
        }
    }
}
