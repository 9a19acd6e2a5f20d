// Topology: the part of the configuration that forwarding reads, as one immutable block of plain
// memory. A change builds a new one and publishes its address; the old one is retired
// (Reclamation). Indices of networks, ports and peers are the rows of the tables here; whoever
// builds topologies keeps them stable over changes, because counters and tables use them too.

import Synchronization
public import Wire

/// A run of elements in one of a topology's shared arrays.
@frozen
public struct TableSpan: Sendable {
    public let start: UInt32
    public let count: UInt32
}

/// A network as forwarding sees it.
@frozen
public struct NetworkEntry {
    public let vni: UInt32
    /// Largest layer 3 packet, bytes.
    public let mtu: UInt32
    /// Sources seen in frames become endpoints; unknown destinations are flooded.
    public let learns: Bool
    /// Frames with VLAN tags pass.
    public let passesVLAN: Bool
    /// ARP and ND are answered from what is known.
    public let answersNeighbors: Bool
    /// Where packet-too-big comes from; `.any` = nowhere.
    public let gateway: IPv4Address
    public let gatewayIPv6: IPv6Address
    /// A learned endpoint that is confirmed this many seconds after it was last seen is refreshed.
    public let refreshAfter: UInt32
    /// Local ports, in `Topology.members`.
    public let ports: TableSpan
    /// Peers that have the network, in `Topology.members`.
    public let peers: TableSpan
}

/// A port as forwarding sees it.
@frozen
public struct PortEntry {
    public let network: UInt16
    /// Unused rows (a removed port's) are not active: frames from them are dropped.
    public let active: Bool
    /// Frames for unknown destinations are flooded to and from this port.
    public let floodsUnknown: Bool
    /// Accepts UDP superframes.
    public let takesUDPSuperframes: Bool
    /// The MACs that it may use, in `Topology.macs`; none = any.
    public let macs: TableSpan
    /// The IPs that it may use, in `Topology.addresses`; none = any.
    public let addresses: TableSpan
    /// What may come from it; nil = as much as comes.
    public let fromVM: UnsafeMutablePointer<Limiter>?
    /// What may go to it; nil = as much as comes.
    public let toVM: UnsafeMutablePointer<Limiter>?
}

/// A peer as forwarding sees it.
@frozen
public struct PeerEntry {
    public let address: IPv6Address
    /// Largest inner frame, Ethernet header included, that one datagram to this peer takes.
    public let maximumFrame: UInt32
}

/// Counts and pointers into the block that they are the start of.
@frozen
@usableFromInline
struct TopologyHeader {
    @usableFromInline let networks: UnsafePointer<NetworkEntry>
    @usableFromInline let ports: UnsafePointer<PortEntry>
    @usableFromInline let peers: UnsafePointer<PeerEntry>
    @usableFromInline let members: UnsafePointer<UInt16>
    @usableFromInline let macs: UnsafePointer<MACAddress>
    @usableFromInline let addresses: UnsafePointer<IPv6Address>
    /// (VNI + 1) << 32 | network index, open addressing.
    @usableFromInline let vniSlots: UnsafePointer<UInt64>
    /// Peer index + 1, open addressing by address.
    @usableFromInline let peerSlots: UnsafePointer<UInt32>
    /// A row of bits per network: the peers that have it.
    @usableFromInline let membership: UnsafePointer<UInt64>
    @usableFromInline let membershipWords: Int
    @usableFromInline let vniMask: Int
    @usableFromInline let peerMask: Int
    @usableFromInline let networkCount: Int
    @usableFromInline let portCount: Int
    @usableFromInline let peerCount: Int
}

/// The snapshot that a worker reads during one turn. A pointer: cheap to hand on.
@frozen
public struct Topology {
    @usableFromInline let header: UnsafePointer<TopologyHeader>

    @inlinable @inline(__always)
    init(header: UnsafePointer<TopologyHeader>) { self.header = header }

    @inlinable public var networkCount: Int { header.pointee.networkCount }
    @inlinable public var portCount: Int { header.pointee.portCount }
    @inlinable public var peerCount: Int { header.pointee.peerCount }
    /// All MACs that ports may use, in the order of `PortEntry.macs`.
    @inlinable var macs: UnsafePointer<MACAddress> { header.pointee.macs }
    /// All IPs that ports may use, in the order of `PortEntry.addresses`.
    @inlinable var addresses: UnsafePointer<IPv6Address> { header.pointee.addresses }

    @inlinable @inline(__always)
    public func network(_ index: UInt16) -> UnsafePointer<NetworkEntry> {
        header.pointee.networks + Int(index)
    }

    @inlinable @inline(__always)
    public func port(_ index: UInt16) -> UnsafePointer<PortEntry> {
        header.pointee.ports + Int(index)
    }

    @inlinable @inline(__always)
    public func peer(_ index: UInt16) -> UnsafePointer<PeerEntry> {
        header.pointee.peers + Int(index)
    }

    /// An element of a network's `ports` or `peers`.
    @inlinable @inline(__always)
    public func member(_ span: TableSpan, _ i: Int) -> UInt16 {
        header.pointee.members[Int(span.start) &+ i]
    }

    /// Whether a port takes a copy of a flooded frame: of one for a group always, of one for an
    /// unknown station where it takes such frames.
    @inlinable @inline(__always)
    public func floods(to port: UInt16, isGroup: Bool) -> Bool {
        isGroup || self.port(port).pointee.floodsUnknown
    }

    /// The network of a VNI.
    @inlinable @inline(__always)
    public func network(vni: UInt32) -> UInt16? {
        var slot = Topology.hash(vni) & header.pointee.vniMask
        while true {
            let word = header.pointee.vniSlots[slot]
            if word == 0 { return nil }
            if word >> 32 == UInt64(vni) &+ 1 { return UInt16(truncatingIfNeeded: word) }
            slot = (slot &+ 1) & header.pointee.vniMask
        }
    }

    /// The peer with an underlay address.
    @inlinable @inline(__always)
    public func peer(at address: IPv6Address) -> UInt16? {
        var slot = Topology.hash(address) & header.pointee.peerMask
        while true {
            let word = header.pointee.peerSlots[slot]
            if word == 0 { return nil }
            let index = Int(word &- 1)
            if header.pointee.peers[index].address == address {
                return UInt16(truncatingIfNeeded: index)
            }
            slot = (slot &+ 1) & header.pointee.peerMask
        }
    }

    /// Whether a peer has a network.
    @inlinable @inline(__always)
    public func isMember(peer: UInt16, of network: UInt16) -> Bool {
        let row = header.pointee.membership + Int(network) &* header.pointee.membershipWords
        let word = row[Int(peer) / 64]
        return word >> (UInt64(peer) % 64) & 1 != 0
    }

    @inlinable @inline(__always)
    static func hash(_ vni: UInt32) -> Int {
        Int(truncatingIfNeeded: (UInt64(vni) &* 0x9e37_79b9_7f4a_7c15) >> 32)
    }

    @inlinable @inline(__always)
    static func hash(_ address: IPv6Address) -> Int {
        let product = (address.low ^ address.high.byteSwapped) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: product >> 32)
    }
}

/// What a topology is built from. Rows keep their index; a nil row is unused.
package struct TopologyDescription {
    package struct Network {
        package var vni: UInt32
        package var mtu: UInt32
        package var learns = true
        package var passesVLAN = false
        package var answersNeighbors = true
        package var gateway = IPv4Address.any
        package var gatewayIPv6 = IPv6Address.any
        /// Seconds; see `NetworkEntry.refreshAfter`.
        package var ageing: UInt32 = 300

        package init(vni: UInt32, mtu: UInt32 = 1450) {
            self.vni = vni
            self.mtu = mtu
        }
    }

    package struct Port {
        package var network: UInt16
        package var macs: [MACAddress] = []
        package var addresses: [IPAddress] = []
        package var floodsUnknown = true
        package var takesUDPSuperframes = false
        package var fromVM: Limit?
        package var toVM: Limit?

        package init(network: UInt16) { self.network = network }

        func limit(_ direction: LimiterTable.Direction) -> Limit? {
            switch direction {
            case .fromVM: fromVM
            case .toVM: toVM
            }
        }
    }

    package struct Peer {
        package var address: IPAddress
        package var maximumFrame: UInt32
        /// Indices of the networks that it has.
        package var networks: [UInt16]

        package init(address: IPAddress, maximumFrame: UInt32 = 1464, networks: [UInt16]) {
            self.address = address
            self.maximumFrame = maximumFrame
            self.networks = networks
        }
    }

    package var networks: [Network?] = []
    package var ports: [Port?] = []
    package var peers: [Peer?] = []

    package init() {}
}

/// The published topology. Every method but `view` belongs to the one writing thread.
package final class TopologyTable: @unchecked Sendable {
    private let published: Atomic<UnsafeMutableRawPointer>
    private let domain: ReclamationDomain
    private var limiters = LimiterTable()

    package init(domain: ReclamationDomain, _ description: TopologyDescription = .init()) {
        self.domain = domain
        _ = limiters.follow(description)
        published = Atomic(TopologyBuilder.build(description, limiters))
    }

    deinit {
        published.load(ordering: .relaxed).deallocate()
        limiters.deallocate()
    }

    /// The current topology, for one turn of a worker.
    @inline(__always)
    package var view: Topology {
        Topology(
            header: UnsafePointer(
                published.load(ordering: .sequentiallyConsistent)
                    .assumingMemoryBound(to: TopologyHeader.self)))
    }

    package func publish(_ description: TopologyDescription) {
        let unused = limiters.follow(description)
        let old = published.exchange(
            TopologyBuilder.build(description, limiters), ordering: .sequentiallyConsistent)
        domain.retire(old)
        for limiter in unused { domain.retire(limiter) }
    }
}
