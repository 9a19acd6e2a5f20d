import Foundation
import Testing

/// What is generated from comments and committed says what the comments say.
@Suite("Generated files are up to date")
struct GeneratedFileTests {
    @Test(
        "`make counters` would change nothing",
        arguments: ["Sources/Forwarding/DropHelp.swift", "docs/counters.md"])
    func counters(path: String) throws {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "weft-counters-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let generator = Process()
        generator.executableURL = SourceTree.root.appending(path: "scripts/counters.sh")
        generator.arguments = [directory.path]
        try generator.run()
        generator.waitUntilExit()
        try #require(generator.terminationStatus == 0)
        let committed = try Data(contentsOf: SourceTree.root.appending(path: path))
        let generated = try Data(contentsOf: directory.appending(path: path))
        #expect(committed == generated, "\(path) is out of date: run `make counters`")
    }
}
