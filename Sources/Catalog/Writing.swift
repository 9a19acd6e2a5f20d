// Networks, ports and peers as the file would have them, in JSON: what is as it would be by default
// is left out. Reading what is written gives the same again.

public import ControlAPI
import Wire

/// The keys and values of one object, without those that say nothing new.
private struct FieldWriter {
    private(set) var fields: [String: JSONTree] = [:]

    mutating func write(_ key: String, _ value: JSONTree, unless isDefault: Bool = false) {
        if !isDefault { fields[key] = value }
    }

    mutating func write(_ key: String, _ values: [some CustomStringConvertible]) {
        write(key, .strings(values), unless: values.isEmpty)
    }

    mutating func write(_ key: String, _ text: String?) {
        if let text { fields[key] = .string(text) }
    }

    mutating func write(_ key: String, _ value: Bool, default normal: Bool) {
        write(key, .boolean(value), unless: value == normal)
    }
}

extension Network {
    /// The keys of docs/configuration.md.
    public var json: JSONTree {
        let normal = Network(name: name, vni: vni)
        var writer = FieldWriter()
        writer.write("name", name)
        writer.write("vni", .integer(Int(vni)))
        if let mtu { writer.write("mtu", .integer(mtu)) }
        writer.write("gateway", gateway)
        writer.write("learning", learning, default: normal.learning)
        writer.write("ageing", .integer(ageing), unless: ageing == normal.ageing)
        writer.write("vlan", .string(vlan.rawValue), unless: vlan == normal.vlan)
        writer.write("arpSuppression", arpSuppression, default: normal.arpSuppression)
        writer.write("endpoints", .array(endpoints.map(\.json)), unless: endpoints.isEmpty)
        return .object(writer.fields)
    }
}

extension StaticEndpoint {
    /// The keys of docs/configuration.md.
    public var json: JSONTree {
        var writer = FieldWriter()
        writer.write("mac", mac.description)
        writer.write("ips", ips)
        writer.write("peer", peer)
        return .object(writer.fields)
    }
}

extension Port {
    /// The keys of docs/configuration.md.
    public var json: JSONTree {
        var writer = FieldWriter()
        writer.write("name", name)
        writer.write("network", network)
        writer.write("kind", kind.rawValue)
        writer.write("device", device)
        writer.write("netns", netns)
        writer.write("macs", macs)
        writer.write("ips", ips)
        writer.write("trunk", trunk, default: false)
        writer.write("addresses", addresses)
        writer.write("mac", mac?.description)
        writer.write("owner", owner)
        writer.write("group", group)
        writer.write("floodUnknown", floodUnknown, default: true)
        writer.write("limits", LimitsReader.json(limits), unless: limits == PortLimits())
        return .object(writer.fields)
    }
}

extension Peer {
    /// The keys of docs/configuration.md.
    public var json: JSONTree {
        var writer = FieldWriter()
        writer.write("name", name)
        writer.write("address", address.description)
        if let networks { writer.write("networks", .strings(networks)) }
        return .object(writer.fields)
    }
}

extension Configuration {
    /// The networks, ports or peers, by name.
    public func objects(_ section: Overlay.Section) -> [(name: String, json: JSONTree)] {
        switch section {
        case .networks: networks.map { ($0.name, $0.json) }
        case .ports: ports.map { ($0.name, $0.json) }
        case .peers: peers.map { ($0.name, $0.json) }
        }
    }

    /// The keys that objects of each section may have.
    package static let objectKeys: [Overlay.Section: [String]] = [
        .networks: NetworkReader.keys, .ports: PortReader.keys, .peers: PeerReader.keys,
    ]
}
