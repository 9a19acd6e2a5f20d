import ArgumentParser
import ControlAPI

/// Fields of an object that have no option of their own.
struct FieldOptions: ParsableArguments {
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Any field of docs/configuration.md: a value in JSON, else taken as text.",
            valueName: "key=value"))
    var assignments: [String] = []
    @Option(
        name: .customLong("unset"),
        help: ArgumentHelp("Leave a field to its default.", valueName: "key"))
    var removals: [String] = []

    func validate() throws {
        for text in assignments where !text.contains("=") {
            throw ValidationError("--set \(text): expected key=value")
        }
    }

    /// What `--set` and `--unset` say; nil takes a field away.
    var changes: [String: JSONTree?] {
        var changes: [String: JSONTree?] = [:]
        for text in assignments {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            changes[String(parts[0])] = .some(Self.value(String(parts[1])))
        }
        for key in removals { changes[key] = .some(nil) }
        return changes
    }

    private static func value(_ text: String) -> JSONTree {
        (try? JSON.decode(JSONTree.self, from: Array(text.utf8))) ?? .string(text)
    }
}

/// Gathers the fields that options name.
struct FieldChanges {
    private(set) var changes: [String: JSONTree?]

    init(_ options: FieldOptions) { changes = options.changes }

    mutating func set(_ key: String, _ value: String?) {
        if let value { changes[key] = .some(.string(value)) }
    }

    mutating func set(_ key: String, _ value: Int?) {
        if let value { changes[key] = .some(.integer(value)) }
    }

    mutating func set(_ key: String, _ value: Bool?) {
        if let value { changes[key] = .some(.boolean(value)) }
    }

    /// Several values; a single empty one stands for none.
    mutating func set(_ key: String, _ values: [String]) {
        guard !values.isEmpty else { return }
        changes[key] = .some(.strings(values == [""] ? [] : values))
    }

    /// What a new object gets of them.
    var fields: [String: JSONTree] { changes.compactMapValues { $0 } }
}
