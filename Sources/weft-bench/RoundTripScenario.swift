import FoundationEssentials
import Lab

extension Bed {
    /// Round trips of a small UDP message from source to destination and back, one at a time.
    func measureRoundTrip(seconds: Int) throws -> ScenarioResult {
        let port = "7007"
        let echo = try startHelper(
            ["echo", "--port", port, "--seconds", "\(seconds + 10)"], on: destination, name: "echo")
        defer { echo.stop() }
        let client = [
            Self.program, "ping-pong", "\(destination.address)", "--port", port,
            "--seconds", "\(seconds)",
        ]
        let (report, cost) = try measure {
            let output = try Command(client, timeout: .seconds(seconds + 10))
                .inside(source.namespace).check()
            return try JSONDecoder().decode(PingPongReport.self, from: Data(output.utf8))
        }
        return ScenarioResult(
            figures: [
                "p50": report.p50, "p99": report.p99, "p99.9": report.p999, "max": report.max,
                "round-trips": Double(report.roundTrips), "lost": Double(report.lost),
            ], gigabits: nil, cost: cost)
    }
}
