import BenchSupport
import Lab

extension Bed {
    private static let roundTripPort: UInt16 = 7007

    /// Round trips of a small UDP message from source to destination and back, one at a time, with
    /// sockperf(1).
    func measureRoundTrip(seconds: Int) throws -> ScenarioResult {
        let port = "\(Self.roundTripPort)"
        let address = "\(destination.address)"
        let server = try destination.spawn(
            ["sockperf", "server", "-i", address, "-p", port], "sockperf")
        defer { server.stop() }
        try wait(for: server) { try destination.namespace.isBound(toUDP: Self.roundTripPort) }
        let client = [
            "sockperf", "ping-pong", "-i", address, "-p", port, "-t", "\(seconds)", "-m", "16",
            "--full-rtt",
        ]
        let (report, cost) = try measure {
            let output = try Command(client, timeout: .seconds(seconds + 10))
                .inside(source.namespace).check()
            guard let report = SockperfReport(output) else { throw BenchError(output) }
            return report
        }
        return ScenarioResult(
            figures: [
                "p50": report.p50, "p99": report.p99, "p99.9": report.p999, "max": report.max,
                "round-trips": Double(report.roundTrips), "lost": Double(report.lost),
            ], gigabits: nil, cost: cost)
    }
}
