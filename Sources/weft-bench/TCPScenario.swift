import Lab

extension Bed {
    /// TCP from source to destination with iperf3: one stream, after a second to warm up.
    func measureTCP(seconds: Int) throws -> ScenarioResult {
        _ = try runIperf(seconds: 1)
        let (throughput, usage) = try runIperf(seconds: seconds)
        return ScenarioResult(
            figures: [
                "Gbit/s": throughput.bitsPerSecond / 1e9,
                "retransmits": Double(throughput.retransmits),
            ],
            work: throughput.bitsPerSecond * Double(seconds) / 1e9, usage: usage)
    }

    private func runIperf(seconds: Int) throws -> (result: Throughput, usage: Usage) {
        let server = try destination.spawn(["iperf3", "-s", "-1"], "iperf3")
        defer { server.stop() }
        let deadline = ContinuousClock.now + .seconds(3)
        while try !destination.namespace.isListening(onTCP: 5201) {
            guard server.isRunning, ContinuousClock.now < deadline else {
                throw LabError.timedOut(waitingFor: "iperf3", detail: server.logTail())
            }
            try pause(.milliseconds(5))
        }
        let client = ["iperf3", "-c", "\(destination.address)", "-t", "\(seconds)", "--json"]
        return try Usage.measure(daemons: daemons) {
            let result = try source.namespace.run(client, timeout: .seconds(seconds + 10))
            if result.timedOut { throw LabError.timedOut(waitingFor: "iperf3", detail: "") }
            return try Throughput(json: result.stdout)
        }
    }
}
