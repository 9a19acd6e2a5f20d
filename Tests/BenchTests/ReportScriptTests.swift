import BenchSupport
import Foundation
import Testing

/// The script that draws results.
private enum ReportScript {
    static let path = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "bench/report")
        .path

    static let canPlot: Bool =
        (try? run("/usr/bin/python3", ["-c", "import matplotlib"]))?.status == 0

    static func run(
        _ program: String, _ arguments: [String]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }
}

/// `bench/report` on a small result file.
@Suite(.enabled(if: ReportScript.canPlot, "needs python3-matplotlib"))
struct ReportScriptTests {
    private static func results() throws -> Data {
        var file = ResultFile(
            date: "2026-01-31T23:59:59Z", commit: "abc",
            machine: MachineDescription(
                cpus: 2, cpu: "a CPU", kernel: "6.1", build: "release", packages: [:]),
            method: .init(rounds: 2, seconds: 1, idle: "poll"))
        let usage = Usage(
            wall: 1, busy: 1, softirq: 0.5, steal: 0, daemons: nil, others: 0, cpus: 2)
        let figures = [Figure("throughput", "Gbit/s", places: 2, better: .more)]
        let turns = [("weft", 6.0), ("kernel", 5), ("ovs", 0.5)].flatMap { system, throughput in
            (1...2).map { round in
                BenchSupport.Measurement(
                    scenario: "tcp-1500", system: system, round: round,
                    figures: ["throughput": throughput], gigabits: throughput, megapackets: 1,
                    usage: usage)
            }
        }
        file.add(
            turns, scenario: "tcp-1500", figures: figures, systems: ["weft", "kernel", "ovs"])
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(file)
    }

    @Test func writesAPageWithGoalsAndPlots() throws {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "weft-report-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let source = directory.appending(path: "results.json")
        try Self.results().write(to: source)
        let ended = try ReportScript.run(
            ReportScript.path, [source.path, "--scale", source.path, "--output", directory.path])
        #expect(ended.status == 0, "\(ended.output)")
        let page = try String(
            contentsOf: directory.appending(path: "BENCHMARKS.md"), encoding: .utf8)
        // 6 against 5 is more than 1.1, less than the aim; 6 against 0.5 more than 6.
        #expect(page.contains("| at least 1.1 | 1.5 | 1.20 (1.20 to 1.20) | reached |"))
        #expect(page.contains("| at least 6 |  | 12.00 (12.00 to 12.00) | reached |"))
        #expect(page.contains("## Scale"))
        #expect(!page.contains("too noisy"))
        for plot in ["overview", "throughput", "cost", "scale"] {
            let path = directory.appending(path: "benchmarks/\(plot).svg")
            #expect(try String(contentsOf: path, encoding: .utf8).contains("<svg"))
            #expect(page.contains("(benchmarks/\(plot).svg)"))
        }
    }

    @Test func refusesAnotherSchema() throws {
        let source = FileManager.default.temporaryDirectory
            .appending(path: "weft-report-\(UUID().uuidString).json")
        try Data(#"{"schema": 99}"#.utf8).write(to: source)
        defer { try? FileManager.default.removeItem(at: source) }
        let ended = try ReportScript.run(ReportScript.path, [source.path])
        #expect(ended.status != 0)
        #expect(ended.output.contains("schema 99"))
    }
}
