package import ControlAPI

/// One object in full: what is wanted of it, then how it is, a line for each field.
package enum ObjectScreen {
    /// All that the daemon says of a `kind` named `name`.
    package static func render<Status>(
        _ kind: String, _ name: String, _ object: ObjectReply<Status>
    ) throws -> String {
        let origin =
            switch object.origin {
            case .file: "from the configuration file"
            case .api: "set through the API"
            case .override: "set through the API, in place of the configuration file's"
            }
        var lines = lines(of: object.spec, under: "").filter { $0.key != "name" }
        let wanted = Set(lines.map(\.key))
        if let status = object.status {
            let tree = try JSON.decode(JSONTree.self, from: JSON.encode(status))
            // What is as wanted need not be said twice.
            lines += self.lines(of: tree, under: "")
                .filter { $0.key != "name" && !wanted.contains($0.key) }
        }
        let width = lines.map(\.key.count).max() ?? 0
        return "\(kind) \(name), \(origin)\n"
            + lines.map { key, value in
                "  \(key)\(String(repeating: " ", count: width - key.count))  \(value)\n"
            }.joined()
    }

    private static func lines(
        of tree: JSONTree, under path: String
    ) -> [(key: String, value: String)] {
        if case .object(let fields) = tree {
            return fields.sorted { $0.key < $1.key }.flatMap { key, value in
                lines(of: value, under: path.isEmpty ? key : "\(path).\(key)")
            }
        }
        if case .array(let items) = tree, items.contains(where: { $0.isObject }) {
            return items.enumerated().flatMap { lines(of: $1, under: "\(path)[\($0)]") }
        }
        return [(path, tree.cell)]
    }
}

extension JSONTree {
    fileprivate var isObject: Bool { if case .object = self { true } else { false } }

    /// As a cell of a table shows it.
    var cell: String {
        switch self {
        case .null: "-"
        case .boolean(let value): value ? "yes" : "no"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): value
        case .array(let items): items.map(\.cell).joined(separator: " ")
        case .object(let fields):
            fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.cell)" }
                .joined(separator: " ")
        }
    }

    /// The field `key` as a cell, `other` where there is none.
    func cell(_ key: String, or other: String = "-") -> String { self[key]?.cell ?? other }
}
