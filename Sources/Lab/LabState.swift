import FoundationEssentials
import Glibc

/// What a lab made, in a file from before it is made: whoever comes later can remove it.
package struct LabState: Codable, Equatable {
    /// The lab's name.
    var name: String
    /// The process that builds and uses it; not recorded for a lab left standing.
    var owner: ProcessRecord?
    /// How its underlay is built.
    var options: LabOptions
    /// Every namespace that it made or was about to make.
    var namespaces: [String] = []
    /// Where its hosts and VMs are, in the order in which they were added.
    var members: [Member] = []
    /// The processes that it started and that stay.
    var processes: [ProcessRecord] = []

    /// A host or a VM.
    struct Member: Codable, Equatable {
        var name: String
        var namespace: NetworkNamespace
        /// For a person to read: addresses, network.
        var summary: String
    }

    static let root = "/run/weft-lab"

    /// The lab's own directory: configurations, sockets, logs.
    static func directory(of name: String) -> String { "\(root)/\(name)" }

    private static func path(of name: String) -> String { "\(root)/\(name).json" }

    /// The state of the lab of that name; nil if there is none.
    static func load(_ name: String) throws -> LabState? {
        let path = path(of: name)
        guard access(path, F_OK) == 0 else { return nil }
        return try JSONDecoder().decode(LabState.self, from: Data(readFile(path).utf8))
    }

    /// The names of all labs that have a state.
    static func names() -> [String] {
        directoryEntries(root).filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
            .sorted()
    }

    /// Writes the state; a reader sees the old one or the new one.
    func save() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = Self.path(of: name)
        let text = String(decoding: try encoder.encode(self), as: UTF8.self)
        try writeFile(path + ".new", text)
        guard rename(path + ".new", path) == 0 else {
            throw LabError.system(call: "rename \(path)", code: errno)
        }
    }

    /// Ends the processes, deletes the namespaces, then the directory and the state itself.
    func remove() throws {
        ProcessRecord.end(processes.reversed(), patience: .seconds(3))
        let existing = namespaces.filter { NetworkNamespace($0).exists }
        if !existing.isEmpty {
            let batch = existing.map { "netns del \($0)\n" }.joined()
            try Command(["ip", "-force", "-batch", "-"], input: batch, timeout: .seconds(30))
                .checkDespiteInterruption()
        }
        try? FileManager.default.removeItem(atPath: Self.directory(of: name))
        unlink(Self.path(of: name))
    }
}
