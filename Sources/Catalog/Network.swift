public import Wire

/// An isolated L2 segment: one VNI, the same on all hosts.
public struct Network: Sendable, Equatable {
    /// What becomes of inner frames with a VLAN tag (RFC 7348 section 6.1).
    public enum VLAN: String, Sendable, CaseIterable {
        /// They are dropped, as the RFC would have it.
        case drop
        /// They pass as they are.
        case pass
    }

    /// Unique among networks: 1...63 letters, digits, `-`, `_` or `.`.
    public var name: String
    /// VXLAN network identifier, 1...16777215, unique among networks.
    public var vni: UInt32
    /// Largest inner IP packet, 576...9216 bytes; nil = what the underlay leaves.
    public var mtu: Int?
    /// Addresses of the network's gateway: the source of ICMP errors that the host sends.
    public var gateway: [IPAddress] = []
    /// Whether source addresses of frames fill the endpoint table.
    public var learning = true
    /// Seconds after which a learned endpoint that is not seen again is forgotten, 10...86400.
    public var ageing = 300
    /// What becomes of inner VLAN tags.
    public var vlan = VLAN.drop
    /// Whether the host answers ARP and neighbour solicitations for endpoints that it knows.
    public var arpSuppression = true
    /// Endpoints behind peers that are known beforehand; they are never learned over or aged.
    public var endpoints: [StaticEndpoint] = []

    /// A network that floods and learns.
    public init(name: String, vni: UInt32) {
        self.name = name
        self.vni = vni
    }
}

/// An endpoint behind a peer, known beforehand.
public struct StaticEndpoint: Sendable, Equatable {
    /// Unicast, unique in its network.
    public var mac: MACAddress
    /// Its addresses, for answering ARP and neighbour solicitations; may be empty.
    public var ips: [IPAddress]
    /// Name of the peer that it is behind.
    public var peer: String

    /// An endpoint behind the peer of that name.
    public init(mac: MACAddress, ips: [IPAddress] = [], peer: String) {
        self.mac = mac
        self.ips = ips
        self.peer = peer
    }
}
