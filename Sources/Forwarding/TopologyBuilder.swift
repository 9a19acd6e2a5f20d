import Synchronization
import Wire

/// Lays a description out as one block: a `TopologyHeader` at its start, the arrays behind it.
enum TopologyBuilder {
    static func build(
        _ description: TopologyDescription, _ limiters: LimiterTable
    ) -> UnsafeMutableRawPointer {
        var members: [UInt16] = []
        var macs: [MACAddress] = []
        var addresses: [IPv6Address] = []
        let networks = description.networks.enumerated().map { index, network in
            entry(network, UInt16(index), description, &members)
        }
        let ports = description.ports.enumerated().map { row, port in
            entry(port, row, limiters, &macs, &addresses)
        }
        let peers = description.peers.map {
            PeerEntry(
                address: $0?.address.mapped ?? .any, maximumFrame: $0?.maximumFrame ?? 0)
        }
        let vnis = vniSlots(description.networks)
        let peerSlots = peerSlots(description.peers)
        let membership = membership(description)

        var block = Block()
        let at = (
            networks: block.reserve(networks), ports: block.reserve(ports),
            peers: block.reserve(peers), members: block.reserve(members),
            macs: block.reserve(macs), addresses: block.reserve(addresses),
            vnis: block.reserve(vnis), peerSlots: block.reserve(peerSlots),
            membership: block.reserve(membership.words)
        )
        let memory = UnsafeMutableRawPointer.allocate(byteCount: block.size, alignment: 64)
        let header = TopologyHeader(
            networks: place(networks, memory, at.networks), ports: place(ports, memory, at.ports),
            peers: place(peers, memory, at.peers), members: place(members, memory, at.members),
            macs: place(macs, memory, at.macs),
            addresses: place(addresses, memory, at.addresses),
            vniSlots: place(vnis, memory, at.vnis),
            peerSlots: place(peerSlots, memory, at.peerSlots),
            membership: place(membership.words, memory, at.membership),
            membershipWords: membership.perNetwork, vniMask: vnis.count - 1,
            peerMask: peerSlots.count - 1, networkCount: networks.count, portCount: ports.count,
            peerCount: peers.count)
        memory.initializeMemory(as: TopologyHeader.self, to: header)
        return memory
    }

    /// Offsets within the block that is about to be allocated.
    private struct Block {
        var size = (MemoryLayout<TopologyHeader>.size + 63) & ~63

        mutating func reserve<T>(_ array: [T]) -> Int {
            let offset = size
            size = (size + array.count * MemoryLayout<T>.stride + 63) & ~63
            return offset
        }
    }

    private static func place<T>(
        _ array: [T], _ memory: UnsafeMutableRawPointer, _ offset: Int
    ) -> UnsafePointer<T> {
        let pointer = (memory + offset).bindMemory(to: T.self, capacity: max(1, array.count))
        array.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.initialize(from: base, count: source.count) }
        }
        return UnsafePointer(pointer)
    }

    private static func entry(
        _ network: TopologyDescription.Network?, _ index: UInt16,
        _ description: TopologyDescription, _ members: inout [UInt16]
    ) -> NetworkEntry {
        // No VNI leads to an unused row, and no port is in it.
        let network = network ?? TopologyDescription.Network(vni: 0)
        let ports = append(
            description.ports.indices.filter { description.ports[$0]?.network == index }
                .map { UInt16($0) }, to: &members)
        let peers = append(
            description.peers.indices
                .filter { description.peers[$0]?.networks.contains(index) == true }
                .map { UInt16($0) }, to: &members)
        return NetworkEntry(
            vni: network.vni, mtu: network.mtu, learns: network.learns,
            passesVLAN: network.passesVLAN, answersNeighbors: network.answersNeighbors,
            gateway: network.gateway, gatewayIPv6: network.gatewayIPv6,
            refreshAfter: max(1, network.ageing / 8), ports: ports, peers: peers)
    }

    private static func entry(
        _ port: TopologyDescription.Port?, _ row: Int, _ limiters: LimiterTable,
        _ macs: inout [MACAddress], _ addresses: inout [IPv6Address]
    ) -> PortEntry {
        PortEntry(
            network: port?.network ?? 0, active: port != nil,
            floodsUnknown: port?.floodsUnknown ?? false,
            takesUDPSuperframes: port?.takesUDPSuperframes ?? false,
            macs: append(port?.macs ?? [], to: &macs),
            addresses: append((port?.addresses ?? []).map(\.mapped), to: &addresses),
            fromVM: limiters.limiter(row, .fromVM), toVM: limiters.limiter(row, .toVM))
    }

    private static func append<T>(_ elements: [T], to array: inout [T]) -> TableSpan {
        let span = TableSpan(start: UInt32(array.count), count: UInt32(elements.count))
        array += elements
        return span
    }

    private static func vniSlots(_ networks: [TopologyDescription.Network?]) -> [UInt64] {
        var slots = [UInt64](repeating: 0, count: max(8, networks.count * 2).nextPowerOfTwo)
        for (index, network) in networks.enumerated() {
            guard let network else { continue }
            var slot = Topology.hash(network.vni) & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = (UInt64(network.vni) + 1) << 32 | UInt64(index)
        }
        return slots
    }

    private static func peerSlots(_ peers: [TopologyDescription.Peer?]) -> [UInt32] {
        var slots = [UInt32](repeating: 0, count: max(8, peers.count * 2).nextPowerOfTwo)
        for (index, peer) in peers.enumerated() {
            guard let peer else { continue }
            var slot = Topology.hash(peer.address.mapped) & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(index) + 1
        }
        return slots
    }

    private static func membership(
        _ description: TopologyDescription
    ) -> (words: [UInt64], perNetwork: Int) {
        let perNetwork = max(1, (description.peers.count + 63) / 64)
        var words = [UInt64](repeating: 0, count: max(1, description.networks.count) * perNetwork)
        for (index, peer) in description.peers.enumerated() {
            for network in peer?.networks ?? [] {
                words[Int(network) * perNetwork + index / 64] |= 1 << UInt64(index % 64)
            }
        }
        return (words, perNetwork)
    }
}
