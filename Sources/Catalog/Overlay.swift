public import ControlAPI

/// Networks, ports, peers and endpoints that were set through the control API. They stand beside
/// those of the configuration file, and take the place of those that have their names there.
public struct Overlay: Sendable, Equatable {
    /// What there can be several of, each with a name.
    public enum Section: String, Sendable, CaseIterable {
        case networks, ports, peers

        /// The word for one of them.
        public var singular: String { String(rawValue.dropLast()) }
    }

    /// What was set in each section, by name: the keys and values that the file would have.
    public var objects: [Section: [String: JSONTree]] = [:]
    /// Endpoints that were set one by one, by the names of their networks and by their MACs.
    public var endpoints: [String: [String: JSONTree]] = [:]

    /// Nothing set.
    public init() {}

    /// What was set under `name`; nil if nothing was.
    public subscript(section: Section, name: String) -> JSONTree? {
        get { objects[section]?[name] }
        set { objects[section, default: [:]][name] = newValue }
    }

    /// The endpoint of that MAC in `network`; nil if none was set.
    public subscript(network network: String, mac mac: String) -> JSONTree? {
        get { endpoints[network]?[mac] }
        set {
            endpoints[network, default: [:]][mac] = newValue
            if endpoints[network]?.isEmpty == true { endpoints[network] = nil }
        }
    }
}

extension Overlay: Codable {
    private enum Key: String, CodingKey {
        case networks, ports, peers, endpoints
    }

    /// Reads an object with the keys `networks`, `ports`, `peers` and `endpoints`, all optional.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func objects(_ key: Key) throws -> [String: JSONTree]? {
            try container.decodeIfPresent([String: JSONTree].self, forKey: key)
        }
        self.objects = [
            .networks: try objects(.networks) ?? [:], .ports: try objects(.ports) ?? [:],
            .peers: try objects(.peers) ?? [:],
        ]
        endpoints =
            try container.decodeIfPresent(
                [String: [String: JSONTree]].self, forKey: .endpoints) ?? [:]
    }

    /// Writes an object with the keys `networks`, `ports`, `peers` and `endpoints`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(objects[.networks] ?? [:], forKey: .networks)
        try container.encode(objects[.ports] ?? [:], forKey: .ports)
        try container.encode(objects[.peers] ?? [:], forKey: .peers)
        try container.encode(endpoints, forKey: .endpoints)
    }
}
