import Catalog
import Forwarding
import Ports
import Wire

/// What a configuration means for the tables: rows, MTUs, fixed endpoints.
struct TopologyPlan {
    /// VXLAN over UDP over IP, without the inner Ethernet header (RFC 7348 section 5).
    static func encapsulation(isIPv6: Bool) -> Int { (isIPv6 ? 40 : 20) + 8 + VXLAN.headerLength }

    let rows: Rows
    let underlay: IPAddress
    /// Path MTU to each peer, by its row.
    let pathMTUs: [Int]
    /// MTU of the underlay's interface, for networks without peers.
    let interfaceMTU: Int
    /// Rows of the ports whose device takes UDP superframes.
    let takesUDPSuperframes: Set<Int>

    /// The longest inner frame, Ethernet header included, on the way to a peer.
    private func maximumFrame(_ peer: Int) -> Int {
        max(0, pathMTUs[peer] - TopologyPlan.encapsulation(isIPv6: underlay.isIPv6))
    }

    /// The largest IP packet of a network: as configured, or what the narrowest path to one of its
    /// peers leaves.
    func mtu(of network: Network) -> Int {
        if let mtu = network.mtu { return mtu }
        let headers =
            Ethernet.headerLength + (network.vlan == .pass ? Ethernet.tagLength : 0)
        let paths = rows.peers.entries.filter { $0.element.takesPart(in: network) }
            .map { maximumFrame($0.row) }
        let alone = interfaceMTU - TopologyPlan.encapsulation(isIPv6: underlay.isIPv6)
        return (paths.min() ?? alone) - headers
    }

    /// The largest IP packet that a port carries.
    func mtu(of port: Port) -> Int? {
        rows.networks.row(of: port.network).flatMap { rows.networks[$0] }.map(mtu(of:))
    }

    private func row(ofNetwork name: String) -> UInt16? {
        rows.networks.row(of: name).map { UInt16($0) }
    }

    var description: TopologyDescription {
        var description = TopologyDescription()
        description.networks = rows.networks.rows.map { $0.map(describe) }
        description.ports = rows.ports.rows.enumerated().map { row, port in
            port.flatMap { describe($0, row) }
        }
        description.peers = rows.peers.rows.enumerated().map { row, peer in
            peer.map { describe($0, row) }
        }
        return description
    }

    private func describe(_ network: Network) -> TopologyDescription.Network {
        var entry = TopologyDescription.Network(
            vni: network.vni, mtu: UInt32(max(0, mtu(of: network))))
        entry.learns = network.learning
        entry.passesVLAN = network.vlan == .pass
        entry.answersNeighbors = network.arpSuppression
        entry.ageing = UInt32(network.ageing)
        for gateway in network.gateway {
            switch gateway {
            case .v4(let address): entry.gateway = address
            case .v6(let address): entry.gatewayIPv6 = address
            }
        }
        return entry
    }

    private func describe(_ port: Port, _ row: Int) -> TopologyDescription.Port? {
        guard let network = self.row(ofNetwork: port.network) else { return nil }
        var entry = TopologyDescription.Port(network: network)
        entry.macs = port.macs
        entry.addresses = port.ips
        entry.floodsUnknown = port.floodUnknown
        entry.takesUDPSuperframes = takesUDPSuperframes.contains(row)
        entry.fromVM = port.limits.fromVM.map(describe)
        entry.toVM = port.limits.toVM.map(describe)
        return entry
    }

    private func describe(_ limit: RateLimit) -> TopologyDescription.Limit {
        TopologyDescription.Limit(
            bitsPerSecond: limit.rate.map { UInt64($0) }, burst: UInt64(limit.burstInEffect ?? 0),
            framesPerSecond: limit.packets.map { UInt64($0) },
            frameBurst: limit.packets.map { UInt64(RateLimit.frameBurst(packets: $0)) } ?? 0)
    }

    private func describe(_ peer: Peer, _ row: Int) -> TopologyDescription.Peer {
        TopologyDescription.Peer(
            address: peer.address, maximumFrame: UInt32(maximumFrame(row)),
            networks: rows.networks.entries.filter { peer.takesPart(in: $0.element) }
                .map { UInt16($0.row) })
    }

    /// The endpoints that the configuration names: those of our ports, and static ones.
    var fixedEndpoints: [FixedEndpoint] {
        rows.ports.entries.flatMap { fixedEndpoints(of: $0.element, $0.row) }
            + rows.networks.entries.flatMap { fixedEndpoints(of: $0.element, $0.row) }
    }

    /// An address that several MACs of a port may use belongs to the first until ARP says more.
    private func fixedEndpoints(of port: Port, _ row: Int) -> [FixedEndpoint] {
        guard let network = self.row(ofNetwork: port.network) else { return [] }
        return port.macs.enumerated().map { place, mac in
            FixedEndpoint(
                network: network, mac: mac, addresses: place == 0 ? port.ips : [],
                place: .port(UInt16(row)))
        }
    }

    private func fixedEndpoints(of network: Network, _ row: Int) -> [FixedEndpoint] {
        network.endpoints.compactMap { endpoint in
            rows.peers.row(of: endpoint.peer).map { peer in
                FixedEndpoint(
                    network: UInt16(row), mac: endpoint.mac, addresses: endpoint.ips,
                    place: .peer(UInt16(peer)))
            }
        }
    }
}
