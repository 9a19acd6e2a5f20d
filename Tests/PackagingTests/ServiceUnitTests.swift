import Foundation
import Testing

/// The service's unit, as systemd judges it.
@Suite("Service unit", .enabled(if: hasProgram("systemd-analyze"), "systemd-analyze is missing"))
struct ServiceUnitTests {
    /// Beside this package's root.
    private let unit = sourceRoot.appending(path: "packaging/weftd.service").path

    @Test("exposes little: 3.0 at most of 10")
    func exposure() throws {
        let result = try run(
            "systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", unit)
        let verdict = result.output.split(separator: "\n").last.map(String.init) ?? ""
        #expect(verdict.contains("Overall exposure level"), "\(result.output)")
        #expect(result.status == 0, "\(verdict)")
    }

    /// A name that systemd does not know is passed over with no more than a warning.
    @Test("has no setting that systemd does not know")
    func settings() throws {
        let result = try run("systemd-analyze", "verify", "--man=no", unit)
        let complaints = result.output.split(separator: "\n").filter {
            $0.contains("weftd.service") && !$0.contains("is not executable")
        }
        #expect(complaints.isEmpty, "\(result.output)")
    }
}

let sourceRoot = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

func hasProgram(_ name: String) -> Bool {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
}

/// Runs a program and gathers what it says, on either stream.
func run(_ arguments: String...) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}
