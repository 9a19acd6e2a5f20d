// A host with very many peers: what building and holding its topology takes.

import Forwarding
import Wire

/// A description of a host with peers, and the topology that is built from it.
package final class PeerTrial {
    /// Networks, each peer in some of them.
    package static let networkCount = 100
    /// Networks that a peer has.
    package static let networksPerPeer = 10
    private var description = TopologyDescription()
    private var table: TopologyTable?
    private let domain = ReclamationDomain()

    package init(peers: Int) {
        description.networks = (0..<Self.networkCount).map { .init(vni: UInt32(100 + $0)) }
        description.peers = (0..<peers).map { index in
            let first = index % Self.networkCount
            let networks = (0..<Self.networksPerPeer).map {
                UInt16((first + $0) % Self.networkCount)
            }
            return .init(address: .v4(Self.address(index)), networks: networks)
        }
    }

    /// Builds the topology and holds it.
    package func build() { table = TopologyTable(domain: domain, description) }

    /// Looks up senders' addresses as a worker does for each message; how many it found.
    package func find(_ lookups: Int) -> Int {
        guard let view = table?.view else { return 0 }
        let count = description.peers.count
        var found = 0
        // A step that meets every peer, neighbours far apart.
        var index = 0
        for _ in 0..<lookups {
            index = (index &+ 6007) % count
            let sender = IPv6Address(mapping: Self.address(index))
            if let peer = view.peer(at: sender), Int(peer) == index { found &+= 1 }
        }
        return found
    }

    private static func address(_ index: Int) -> IPv4Address {
        IPv4Address(bits: 0xac10_0001 &+ UInt32(truncatingIfNeeded: index))
    }
}
