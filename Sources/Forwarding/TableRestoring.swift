// What was learned, for who saves it, and back into the tables of a later process.

extension TableKeeper {
    /// Every endpoint that is not fixed, in no order.
    package func forEachLearned(_ body: (EndpointKey, Location, _ seen: UInt32) -> Void) {
        endpoints.forEach { key, location, seen in
            if !location.isFixed { body(key, location, seen) }
        }
    }

    /// Every neighbour that is not fixed, in no order.
    package func forEachLearnedNeighbor(_ body: (NeighborKey, Neighbor) -> Void) {
        neighbors.forEachNeighbor { key, neighbor in
            if !neighbor.isFixed { body(key, neighbor) }
        }
    }

    /// Who has an address, as an earlier process has learned it; nothing that is known already is
    /// changed, and nobody has one who is no endpoint.
    package func restore(_ key: NeighborKey, _ neighbor: Neighbor) {
        let endpoint = EndpointKey(network: key.network, mac: neighbor.mac)
        guard neighbors.get(key) == nil, endpoints.view.lookup(endpoint) != nil else { return }
        neighbors.set(key, Neighbor(mac: neighbor.mac, role: neighbor.role))
    }
}
