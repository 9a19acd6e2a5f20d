import Catalog
import Foundation
import Testing

/// The repository's `docs` directory.
private let docs = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "docs")

/// The only YAML block of docs/configuration.md.
func documentExample() throws -> String {
    let text = try String(contentsOf: docs.appending(path: "configuration.md"), encoding: .utf8)
    let blocks = text.components(separatedBy: "```yaml\n").dropFirst()
    try #require(blocks.count == 1)
    return try #require(blocks.first?.components(separatedBy: "\n```").first) + "\n"
}

@Suite("The documentation's examples")
struct DocumentationTests {
    @Test("the reference's example is valid and shows every key")
    func reference() throws {
        let yaml = try documentExample()
        let value = try Configuration.parse(yaml: yaml, file: "docs/configuration.md")
        #expect(value.host == "host-a")
        #expect(value.ports.map(\.kind) == [.tap, .tap, .interface, .tap, .host])
        let text = try String(contentsOf: docs.appending(path: "configuration.md"), encoding: .utf8)
        let keys = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
            .flatMap { $0.split(separator: "|")[0].split(separator: ",") }
            .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        #expect(keys.count > 40)
        for key in keys { #expect(yaml.contains("\(key):"), "\(key)") }
    }

    @Test("the hosts of the example mesh know each other")
    func mesh() throws {
        let hosts = try ["a", "b", "c"].map {
            try Configuration.load(file: docs.appending(path: "examples/mesh-\($0).yaml").path)
        }
        for host in hosts {
            for other in hosts where other.host != host.host {
                #expect(host.peer(named: other.host)?.address == other.underlay.address)
                #expect(host.networks == other.networks)
            }
            #expect(host.peers.count == hosts.count - 1)
        }
        let stations = hosts.flatMap(\.ports).map { "\($0.network) \($0.macs)" }
        #expect(Set(stations).count == stations.count)
    }

    @Test("every file of examples/ is valid")
    func examples() throws {
        let directory = docs.appending(path: "examples")
        let files = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
            .filter { $0.hasSuffix(".yaml") }
        #expect(files.count >= 3)
        for file in files {
            _ = try Configuration.load(file: directory.appending(path: file).path)
        }
    }

    @Test("files that cannot be read say why")
    func unreadable() throws {
        func failure(_ file: String) -> String {
            do {
                _ = try Configuration.load(file: file)
                return "loaded"
            } catch {
                return error.description
            }
        }
        #expect(
            failure("/nowhere.yaml") == "/nowhere.yaml: cannot be read: No such file or directory")
        #expect(failure("/dev") == "/dev: not a regular file")
        #expect(failure("/dev/zero") == "/dev/zero: not a regular file")
        let file = FileManager.default.temporaryDirectory.appending(
            path: "weft-\(UUID().uuidString).yaml")
        try Data([0x68, 0xff, 0xfe]).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(failure(file.path) == "\(file.path): not UTF-8 text: save it as UTF-8")
    }
}
