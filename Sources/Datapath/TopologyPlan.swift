import Catalog
import Forwarding
import Ports
import Wire

/// What a configuration means for the tables: indices, MTUs, fixed endpoints.
struct TopologyPlan {
    /// VXLAN over UDP over IP, without the inner Ethernet header (RFC 7348 section 5).
    static func encapsulation(isIPv6: Bool) -> Int { (isIPv6 ? 40 : 20) + 8 + VXLAN.headerLength }

    let configuration: Configuration
    let underlay: IPAddress
    /// Path MTU to each peer, in the configuration's order.
    let pathMTUs: [Int]
    /// MTU of the underlay's interface, for networks without peers.
    let interfaceMTU: Int
    /// Ports whose device takes UDP superframes.
    let takesUDPSuperframes: Set<String>

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
        let paths = configuration.peers.indices
            .filter { configuration.networks(of: configuration.peers[$0]).contains(network.name) }
            .map(maximumFrame)
        let alone = interfaceMTU - TopologyPlan.encapsulation(isIPv6: underlay.isIPv6)
        return (paths.min() ?? alone) - headers
    }

    /// Index of a network, a port or a peer: its place in the configuration.
    func index(ofNetwork name: String) -> UInt16 {
        UInt16(configuration.networks.firstIndex { $0.name == name } ?? 0)
    }

    var description: TopologyDescription {
        var description = TopologyDescription()
        description.networks = configuration.networks.map(describe)
        description.ports = configuration.ports.map(describe)
        description.peers = configuration.peers.indices.map { index in
            let peer = configuration.peers[index]
            return TopologyDescription.Peer(
                address: peer.address, maximumFrame: UInt32(maximumFrame(index)),
                networks: configuration.networks(of: peer).map(self.index(ofNetwork:)))
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

    private func describe(_ port: Port) -> TopologyDescription.Port {
        var entry = TopologyDescription.Port(network: index(ofNetwork: port.network))
        entry.macs = port.macs
        entry.addresses = port.ips
        entry.floodsUnknown = port.floodUnknown
        entry.takesUDPSuperframes = takesUDPSuperframes.contains(port.name)
        return entry
    }

    /// Sets the endpoints that the configuration names: those of our ports, and static ones.
    func fixEndpoints(in keeper: TableKeeper) {
        for (index, port) in configuration.ports.enumerated() {
            fixPort(port, UInt16(index), in: keeper)
        }
        for network in configuration.networks {
            for endpoint in network.endpoints {
                guard
                    let peer = configuration.peers.firstIndex(where: { $0.name == endpoint.peer })
                else { continue }
                keeper.fix(
                    network: index(ofNetwork: network.name), mac: endpoint.mac,
                    addresses: endpoint.ips, at: .peer(UInt16(peer)))
            }
        }
    }

    /// An address that several MACs of a port may use belongs to the first until ARP says more.
    private func fixPort(_ port: Port, _ index: UInt16, in keeper: TableKeeper) {
        for (place, mac) in port.macs.enumerated() {
            keeper.fix(
                network: self.index(ofNetwork: port.network), mac: mac,
                addresses: place == 0 ? port.ips : [], at: .port(index))
        }
    }
}
