import FoundationEssentials

/// What iperf3(1) measured over one or more TCP streams.
public struct Throughput: Sendable, Equatable {
    /// What arrived, in bits per second of TCP payload.
    public var bitsPerSecond: Double
    /// Segments that the sender sent again.
    public var retransmits: Int

    /// Reads what the client prints with `--json`; throws its own error message if it failed.
    public init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(Report.self, from: Data(json.utf8))
        guard let end = report.end, let received = end.sumReceived, let sent = end.sumSent else {
            throw LabError.commandFailed("iperf3", status: 1, output: report.error ?? json)
        }
        bitsPerSecond = received.bitsPerSecond
        retransmits = sent.retransmits ?? 0
    }

    /// The part of iperf3's report that is read.
    private struct Report: Decodable {
        struct Sum: Decodable {
            var bitsPerSecond: Double
            var retransmits: Int?
        }
        struct End: Decodable {
            var sumReceived: Sum?
            var sumSent: Sum?
        }
        var error: String?
        var end: End?
    }
}

extension VM {
    /// Measures TCP from this VM to another with iperf3.
    ///
    /// - Parameters:
    ///   - server: The VM that receives, at its first address.
    ///   - seconds: How long.
    ///   - streams: How many connections at the same time.
    public func measureTCP(
        to server: VM, seconds: Int, streams: Int = 1
    ) throws -> Throughput {
        let port: UInt16 = 5201
        let process = try server.spawn(["iperf3", "-s", "-1"], name: "iperf3")
        defer { process.stop() }
        let deadline = ContinuousClock.now + .seconds(3)
        while try !server.namespace.isListening(onTCP: port) {
            guard process.isRunning else {
                throw LabError.processEnded("iperf3 in \(server.name)", log: process.logTail())
            }
            guard ContinuousClock.now < deadline else {
                throw LabError.timedOut(waitingFor: "iperf3 in \(server.name)", detail: "")
            }
            try pause(.milliseconds(5))
        }
        let result = try run(
            [
                "iperf3", "-c", "\(server.addresses[0].address)", "-t", "\(seconds)",
                "-P", "\(streams)", "--json",
            ], timeout: .seconds(seconds + 10))
        if result.timedOut {
            throw LabError.timedOut(waitingFor: "iperf3 from \(name) to \(server.name)", detail: "")
        }
        return try Throughput(json: result.stdout)
    }
}
