public import Wire

/// How this host meets the provider's network: its VTEP.
public struct Underlay: Sendable, Equatable {
    /// Where the VTEP's address comes from.
    public enum Source: Sendable, Equatable {
        /// This address, configured on the host by others.
        case address(IPAddress)
        /// The first global address of this interface at start.
        case interface(String)
    }

    /// The VTEP's address, or the interface that has it.
    public var source: Source
    /// UDP port of VXLAN, 1...65535 (RFC 7348 section 5 assigns 4789).
    public var port: UInt16 = 4789
    /// Transmit sockets per worker, 1...256: the entropy of the outer UDP source port.
    public var sourcePorts = 32
    /// Outer UDP checksums. False = zero checksums (IPv4 only), which forgoes UDP_SEGMENT and
    /// UDP_GRO, because the kernel's need them.
    public var checksum = true

    /// An underlay with the standard port and the default entropy.
    public init(_ source: Source) {
        self.source = source
    }

    /// The VTEP's address where the file gives it, nil where an interface does.
    public var address: IPAddress? {
        if case .address(let address) = source { address } else { nil }
    }
}

/// Another host's VTEP.
public struct Peer: Sendable, Equatable {
    /// Unique among peers: 1...63 letters, digits, `-`, `_` or `.`.
    public var name: String
    /// Its address on the underlay, of the family of ours.
    public var address: IPAddress
    /// Names of the networks that it takes part in; nil = all of them.
    public var networks: [String]?

    /// A peer in all networks, unless `networks` names some.
    public init(name: String, address: IPAddress, networks: [String]? = nil) {
        self.name = name
        self.address = address
        self.networks = networks
    }

    /// Whether it has `network`.
    public func takesPart(in network: Network) -> Bool {
        networks?.contains(network.name) ?? true
    }
}
