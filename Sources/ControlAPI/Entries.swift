/// Where an entry of a table comes from.
public enum Origin: String, Codable, Sendable, CaseIterable {
    /// From the configuration: it stays.
    case `static`
    /// From frames that were seen: it ages.
    case learned
}

/// Where an endpoint is. In JSON `{"port": name}` or `{"peer": name}`.
public enum EndpointLocation: Sendable, Hashable {
    /// Behind a port of this host.
    case port(String)
    /// Behind another host.
    case peer(String)
}

extension EndpointLocation: Codable {
    private enum Key: String, CodingKey {
        case port, peer
    }

    /// Reads an object with one of the keys `port` and `peer`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        if let name = try container.decodeIfPresent(String.self, forKey: .port) {
            self = .port(name)
        } else {
            self = .peer(try container.decode(String.self, forKey: .peer))
        }
    }

    /// Writes an object with one of the keys `port` and `peer`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .port(let name): try container.encode(name, forKey: .port)
        case .peer(let name): try container.encode(name, forKey: .peer)
        }
    }
}

/// A station of a network and where it is.
public struct EndpointEntry: Codable, Sendable, Equatable {
    /// Name of the network.
    public var network: String
    /// Its MAC.
    public var mac: String
    /// Its known addresses.
    public var ips: [String]
    /// Where it is.
    public var location: EndpointLocation
    /// Where the entry comes from.
    public var origin: Origin
    /// Seconds since it was last seen; nil for static entries.
    public var ageSeconds: Int?

    /// An entry of the endpoint table.
    public init(
        network: String, mac: String, ips: [String], location: EndpointLocation, origin: Origin,
        ageSeconds: Int? = nil
    ) {
        self.network = network
        self.mac = mac
        self.ips = ips
        self.location = location
        self.origin = origin
        self.ageSeconds = ageSeconds
    }
}

/// An address of a network and the MAC that has it.
public struct NeighbourEntry: Codable, Sendable, Equatable {
    /// Name of the network.
    public var network: String
    /// IPv4 or IPv6 address.
    public var ip: String
    /// The MAC that has it.
    public var mac: String
    /// Where the entry comes from.
    public var origin: Origin
    /// Seconds since it was last seen; nil for static entries.
    public var ageSeconds: Int?

    /// An entry of the neighbour table.
    public init(
        network: String, ip: String, mac: String, origin: Origin, ageSeconds: Int? = nil
    ) {
        self.network = network
        self.ip = ip
        self.mac = mac
        self.origin = origin
        self.ageSeconds = ageSeconds
    }
}

/// The reply to `GET /v1/endpoints`.
public struct EndpointList: Codable, Sendable, Equatable {
    /// The endpoint table.
    public var endpoints: [EndpointEntry]

    /// These entries.
    public init(endpoints: [EndpointEntry]) { self.endpoints = endpoints }
}

/// The reply to `GET /v1/neighbours`.
public struct NeighbourList: Codable, Sendable, Equatable {
    /// The neighbour table.
    public var neighbours: [NeighbourEntry]

    /// These entries.
    public init(neighbours: [NeighbourEntry]) { self.neighbours = neighbours }
}

/// The body of every reply that is an error.
public struct ErrorReply: Codable, Sendable, Equatable {
    /// What is wrong.
    public var error: String
    /// The same by field, where fields are wrong.
    public var problems: [RequestProblem]?

    /// An error in words.
    public init(error: String, problems: [RequestProblem]? = nil) {
        self.error = error
        self.problems = problems
    }
}
