import Yams

/// A value of the file: its node, the path of keys that leads to it, and where to say what is
/// wrong with it.
///
/// Every reading function returns nil after having reported why, so a caller just goes on to
/// the next value.
struct Value {
    let node: Node
    let path: String
    let problems: Problems

    var place: ConfigurationError.Place? {
        node.mark.map { .init(line: $0.line, column: $0.column) }
    }

    func report(_ message: String) {
        problems.report(message, path: path, at: place)
    }

    /// An empty value, `~` or `null`: the same as none at all.
    var isNull: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// What the value is, for messages.
    var shown: String {
        switch node {
        case .scalar(let scalar): quoted(scalar.string)
        case .sequence: "a list"
        case .mapping: "a map"
        case .alias: "an alias"
        }
    }

    /// The text as it stands in the file, whatever YAML would make of it: `02:00:0a:00:00:01`
    /// and `0660` stay what they look like.
    func text(_ expected: String) -> String? {
        guard case .scalar(let scalar) = node, !isNull else {
            report("found \(isNull ? "nothing" : shown), expected \(expected)")
            return nil
        }
        return scalar.string
    }

    /// The text of a scalar without quotes, else nil without a report.
    var plainText: String? {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return nil }
        return scalar.string
    }

    /// Whether it is `word`, in quotes or not.
    func isWord(_ word: String) -> Bool { node.scalar?.string == word }

    /// Whether it is a list of nothing.
    var isEmptyList: Bool { node.sequence?.isEmpty ?? false }

    /// The items of a list.
    func list(of what: String) -> [Value] {
        guard case .sequence(let sequence) = node else {
            report("found \(shown), expected a list of \(what)")
            return []
        }
        return sequence.enumerated().map { index, node in
            Value(node: node, path: "\(path)[\(index)]", problems: problems)
        }
    }

    /// The items of a list, or the value itself where it is no list.
    func listOrSingle(of what: String) -> [Value] {
        if case .scalar = node { [self] } else { list(of: what) }
    }

    /// The fields of a map that has no keys but `keys`. Others are reported.
    func fields(_ keys: [String]) -> Fields? {
        guard case .mapping(let mapping) = node else {
            report("found \(shown), expected a map with the keys \(listed(keys))")
            return nil
        }
        var values: [String: Value] = [:]
        for (key, node) in mapping {
            let name = key.scalar?.string ?? "?"
            let path = path.isEmpty ? quotedKey(name) : path + "." + quotedKey(name)
            let value = Value(node: node, path: path, problems: problems)
            let keyValue = Value(node: key, path: path, problems: problems)
            if !keys.contains(name) {
                let hint = suggestion(for: name, among: keys)
                keyValue.report("unknown key\(hint); expected one of \(listed(keys))")
            } else if values[name] != nil {
                keyValue.report("the key appears twice in this map: remove one")
            } else {
                values[name] = value
            }
        }
        return Fields(map: self, values: values)
    }
}

/// The values of a map by key. Keys without a value are as good as absent.
struct Fields {
    let map: Value
    private let values: [String: Value]

    init(map: Value, values: [String: Value]) {
        self.map = map
        self.values = values.filter { !$0.value.isNull }
    }

    subscript(key: String) -> Value? { values[key] }

    /// The value of a key that must be there.
    func required(_ key: String, _ expected: String) -> Value? {
        if let value = values[key] { return value }
        let path = map.path.isEmpty ? key : map.path + "." + key
        map.problems.report("missing, expected \(expected)", path: path, at: map.place)
        return nil
    }
}

/// "`a`, `b`, `c`".
func listed(_ names: some Sequence<String>) -> String {
    names.map { "`\($0)`" }.joined(separator: ", ")
}

/// A key as a path may show it.
private func quotedKey(_ key: String) -> String {
    let simple = key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ".") }
    return simple && !key.isEmpty && key.utf8.count <= 32 ? key : quoted(key)
}
