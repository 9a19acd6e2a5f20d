// How what was set through the API is read: as if it stood in the file.

import ControlAPI
import Wire
import Yams

/// The items of a section: those of the file whose names were not set, then those that were.
struct OverlayItems {
    let overlay: Overlay
    /// Of what was set: no lines, other paths.
    let problems: Problems

    func items(_ section: Overlay.Section, _ file: Value?) -> [Value] {
        let set = overlay.objects[section] ?? [:]
        let own = file?.list(of: section.rawValue) ?? []
        let others = set.isEmpty ? own : own.filter { $0.itemName.map { set[$0] == nil } ?? true }
        let maker = NodeMaker()
        return others
            + set.sorted { $0.key < $1.key }.map { name, object in
                Value(
                    node: maker.node(object), path: "\(section.rawValue)/\(name)",
                    problems: problems)
            }
    }

    /// The endpoints of a network: those of its own description whose MACs were not set, then
    /// those that were.
    func endpoints(of network: String, _ own: [Value]) -> [Value] {
        guard let set = overlay.endpoints[network] else { return own }
        let others = own.filter { value in
            value.scalar("mac").flatMap { MACAddress($0) }.map { set["\($0)"] == nil } ?? true
        }
        let maker = NodeMaker()
        return others
            + set.sorted { $0.key < $1.key }.map { mac, object in
                Value(
                    node: maker.node(object), path: "networks/\(network)/endpoints/\(mac)",
                    problems: problems)
            }
    }
}

extension OverlayItems {
    /// Reports endpoints that were set in networks that are there no longer.
    func checkEndpoints(_ networks: NameIndex) {
        for network in overlay.endpoints.keys.sorted() where !networks.contains(network) {
            problems.report(
                "no network is named \(quoted(network)), and endpoints were set in it: put it "
                    + "back, or take them out", path: "networks/\(network)/endpoints", at: nil)
        }
    }
}

extension Value {
    /// The item's name as it stands there.
    var itemName: String? { scalar("name") }

    /// The text of the scalar that a map has under `key`, unchecked.
    fileprivate func scalar(_ key: String) -> String? {
        node.mapping?.first { $0.key.scalar?.string == key }?.value.scalar?.string
    }
}

/// Makes the nodes that YAML would make of the same JSON.
private struct NodeMaker {
    /// One for all: making a tag costs more than making a node.
    private let tag = Tag.implicit

    func node(_ value: JSONTree) -> Node {
        switch value {
        case .null: plain("null")
        case .boolean(let value): plain("\(value)")
        case .integer(let value): plain("\(value)")
        case .number(let value): plain("\(value)")
        case .string(let text): .scalar(.init(text, tag, .doubleQuoted))
        case .array(let items): .sequence(.init(items.map(node), tag))
        case .object(let fields):
            .mapping(
                .init(
                    fields.sorted { $0.key < $1.key }.map { (plain($0.key), node($0.value)) }, tag))
        }
    }

    private func plain(_ text: String) -> Node { .scalar(.init(text, tag, .plain)) }
}
