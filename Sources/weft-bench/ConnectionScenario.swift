import FoundationEssentials
import Lab

extension Bed {
    /// New TCP connections from source to destination, sixteen at a time.
    func measureConnections(seconds: Int) throws -> ScenarioResult {
        let port: UInt16 = 7009
        let server = try destination.spawn(
            [Self.program, "accept", "--port", "\(port)", "--seconds", "\(seconds + 10)"], "accept")
        defer { server.stop() }
        try wait(for: server) { try destination.namespace.isListening(onTCP: port) }
        let client = [
            Self.program, "connect", "\(destination.address)", "--port", "\(port)",
            "--seconds", "\(seconds)",
        ]
        let (report, cost) = try measure {
            let output = try Command(client, timeout: .seconds(seconds + 10))
                .inside(source.namespace).check()
            return try JSONDecoder().decode(ConnectionsReport.self, from: Data(output.utf8))
        }
        return ScenarioResult(
            figures: [
                "rate": Double(report.completed) / report.seconds,
                "failed": Double(report.failed),
            ], gigabits: nil, cost: cost)
    }
}
