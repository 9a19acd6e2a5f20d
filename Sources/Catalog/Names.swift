import Wire
import Yams

/// The names that values may refer to.
struct Names {
    let peers: NameIndex
    let networks: NameIndex
}

/// The names of a section's items. Building it reports those that appear twice.
struct NameIndex {
    private let what: String
    private var lines: [String: Int] = [:]

    /// Gathers the names of `items`, each a map with a `name`.
    init(of what: String, _ items: [Value]) {
        self.what = what
        for item in items {
            guard let mapping = item.node.mapping,
                let node = mapping.first(where: { $0.key.scalar?.string == "name" })?.value,
                let name = node.scalar?.string
            else { continue }
            let line = node.mark?.line ?? 0
            if let first = lines[name] {
                Value(node: node, path: item.path + ".name", problems: item.problems)
                    .report("\(quoted(name)) is already the name of the \(what) of line \(first)")
            } else {
                lines[name] = line
            }
        }
    }

    func contains(_ name: String) -> Bool { lines[name] != nil }

    /// The name that `value` refers to, if it is one of these.
    func resolve(_ value: Value) -> String? {
        guard let name = value.text("the name of a \(what)") else { return nil }
        guard lines[name] != nil else {
            let hint = suggestion(for: name, among: lines.keys.sorted())
            let known = lines.isEmpty ? "there is none" : "expected one that there is"
            value.report("no \(what) is named \(quoted(name))\(hint); \(known)")
            return nil
        }
        return name
    }
}

/// Which MAC is where in which network: one place only.
struct Stations {
    private struct Key: Hashable {
        let network: String
        let mac: MACAddress
    }

    private var owners: [Key: String] = [:]

    /// Notes that `value` puts `mac` into `network` at `owner`; reports another owner's claim.
    mutating func claim(_ mac: MACAddress, in network: String, by owner: String, _ value: Value) {
        let key = Key(network: network, mac: mac)
        guard let other = owners[key] else {
            owners[key] = owner
            return
        }
        guard other != owner else { return }
        value.report("\(mac) already belongs to \(other) in network `\(network)`")
    }
}
