import ControlAPI
import Foundation
import Testing
import Yams

/// The dashboard and the alerts beside what /metrics has.
@Suite("Dashboard and alerts")
struct MonitoringTests {
    private let docs: URL
    /// Metrics by their names, with a histogram's samples, and the labels of all of them.
    private let rendered: Set<String>

    init() throws {
        var folder = URL(filePath: #filePath)
        for _ in 0..<3 { folder = folder.deletingLastPathComponent() }
        docs = folder.appending(path: "docs")
        // Help and type of a metric are there even if no sample is.
        let types = Prometheus.render(FixedProvider().status()).split(separator: "\n")
            .filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ").map(String.init) }
        rendered = Set(
            types.flatMap { line in
                line[3] == "histogram"
                    ? ["_bucket", "_sum", "_count"].map { line[2] + $0 } : [line[2]]
            })
    }

    /// The metrics in an expression.
    private func metrics(in expression: String) -> [String] {
        expression.matches(of: /\b(?:weft|process)_[a-z0-9_]+/).map { String($0.output) }
    }

    /// Every string under a key, however deep.
    private func strings(_ key: String, in value: Any) -> [String] {
        if let list = value as? [Any] { return list.flatMap { strings(key, in: $0) } }
        guard let map = value as? [String: Any] else { return [] }
        return map.flatMap { name, value in
            name == key ? [value as? String].compactMap { $0 } : strings(key, in: value)
        }
    }

    @Test("the dashboard shows metrics that there are, of a data source to choose")
    func dashboard() throws {
        let bytes = try Data(contentsOf: docs.appending(path: "grafana-dashboard.json"))
        let dashboard = try #require(
            try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        let expressions = strings("expr", in: dashboard)
        #expect(expressions.count > 25)
        for expression in expressions {
            let metrics = metrics(in: expression)
            #expect(!metrics.isEmpty, "\(expression)")
            for metric in metrics { #expect(rendered.contains(metric), "\(expression)") }
        }
        for query in strings("definition", in: dashboard) {
            for metric in metrics(in: query) { #expect(rendered.contains(metric), "\(query)") }
        }
        let templating = try #require(dashboard["templating"] as? [String: Any])
        let variables = try #require(templating["list"] as? [[String: Any]])
        #expect(
            variables.contains {
                $0["name"] as? String == "datasource" && $0["type"] as? String == "datasource"
            })
        #expect(Set(strings("uid", in: dashboard)) == ["weft", "${datasource}"])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        let numbers = panels.compactMap { $0["id"] as? Int }
        #expect(numbers.count == panels.count && Set(numbers).count == panels.count)
    }

    @Test("the alerts look at metrics that there are")
    func alerts() throws {
        let text = try String(
            contentsOf: docs.appending(path: "prometheus-alerts.yaml"), encoding: .utf8)
        let groups = try #require(try Yams.compose(yaml: text)?["groups"]?.sequence)
        let rules = groups.flatMap { $0["rules"]?.sequence.map(Array.init) ?? [] }
        #expect(rules.count > 10)
        #expect(Set(rules.map { $0["alert"]?.string }).count == rules.count)
        for rule in rules {
            let expression = try #require(rule["expr"]?.string)
            let metrics = metrics(in: expression)
            // Prometheus's own: whether it could ask.
            #expect(!metrics.isEmpty || expression.hasPrefix("up{"), "\(expression)")
            for metric in metrics { #expect(rendered.contains(metric), "\(expression)") }
            #expect(rule["labels"]?["severity"]?.string != nil)
            #expect(rule["annotations"]?["summary"]?.string?.isEmpty == false)
        }
    }

    /// Prometheus's own checker, where it is installed: it comes with 50 MB of Prometheus.
    private static let promtool =
        ["/usr/bin/promtool", "/usr/local/bin/promtool"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
        ?? ProcessInfo.processInfo.environment["PROMTOOL"]

    @Test("promtool finds nothing", .enabled(if: promtool != nil, "needs promtool, or PROMTOOL"))
    func checker() throws {
        let program = try #require(Self.promtool)
        let page = FileManager.default.temporaryDirectory
            .appending(path: "weft-metrics-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: page) }
        var status = FixedProvider().status()
        let turns = TurnStatus(bounds: [1024, 1 << 30], counts: [1, 2, 3], nanoseconds: 4)
        status.workers = [
            WorkerStatus(
                index: 0, cpu: nil, busyPoll: "off", features: [:],
                load: WorkerLoad(turns: turns))
        ]
        status.ports = [
            PortStatus(
                name: "vm1", network: "red", kind: "tap", device: "tap1", state: .up, mtu: 1450,
                counters: TrafficCounters(drops: 1, dropsByReason: ["tooBig": 1]))
        ]
        try Data(Prometheus.render(status).utf8).write(to: page)
        for (arguments, input) in [
            (["check", "metrics"], page.path),
            (["check", "rules", docs.appending(path: "prometheus-alerts.yaml").path], "/dev/null"),
        ] {
            let process = Process()
            process.executableURL = URL(filePath: program)
            process.arguments = arguments
            process.standardInput = try FileHandle(forReadingFrom: URL(filePath: input))
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(
                decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(arguments): \(text)")
        }
    }
}
