// TableKeeper: the one writer of the tables. It applies what workers report, ages out what has
// not been seen, and sets what configuration fixes. One thread calls it.

package import Wire

/// An endpoint that the configuration names: it is not learned, moved or aged out.
package struct FixedEndpoint: Equatable {
    package let key: EndpointKey
    package let addresses: [IPAddress]
    package let place: Location

    package init(network: UInt16, mac: MACAddress, addresses: [IPAddress], place: Location) {
        key = EndpointKey(network: network, mac: mac)
        self.addresses = addresses
        self.place = place
    }

    fileprivate var neighbors: [NeighborKey] {
        addresses.map { NeighborKey(network: key.network, address: $0) }
    }
}

package final class TableKeeper {
    package let domain: ReclamationDomain
    package let endpoints: EndpointTable
    package let neighbors: NeighborTable
    package let topology: TopologyTable
    private var queues: [LearningQueue] = []
    /// Ageing of each network, seconds; 0 for an empty row.
    private var ageing: [UInt32] = []
    private var networkCount = 0
    /// Where the next piece of ageing begins.
    private var cursor = 0
    /// Learned endpoints of each network.
    private var learned: [UInt16: Int] = [:]
    /// What is fixed now.
    private var fixed: [FixedEndpoint] = []
    /// Endpoints that the table takes at most; learning stops there, forwarding does not.
    private let endpointLimit: Int

    /// Told of endpoints that are learned (from nil), move, or are forgotten (to nil).
    package var whenLearned: (EndpointKey, _ from: Location?, _ to: Location?) -> Void = {
        _, _, _ in
    }

    /// Endpoints that were seen at another place than before.
    package private(set) var moves: UInt64 = 0
    /// Endpoints forgotten because they were not seen.
    package private(set) var aged: UInt64 = 0
    /// Sightings refused because the table was full.
    package private(set) var refused: UInt64 = 0

    package init(endpointLimit: Int = 1 << 20) {
        let domain = ReclamationDomain()
        self.domain = domain
        self.endpointLimit = endpointLimit
        endpoints = EndpointTable(domain: domain)
        neighbors = NeighborTable(domain: domain)
        topology = TopologyTable(domain: domain)
    }

    /// A worker's queue and reader. All workers are added before the tables are used.
    package func addWorker() -> (LearningQueue, Reader) {
        let queue = LearningQueue()
        queues.append(queue)
        return (queue, domain.makeReader())
    }

    /// Publishes a topology.
    package func publish(_ description: TopologyDescription) {
        ageing = description.networks.map { $0?.ageing ?? 0 }
        networkCount = description.networks.count { $0 != nil }
        topology.publish(description)
    }

    /// Fixes these endpoints and lets go of all others that were fixed. All workers must read a
    /// topology that has their rows.
    package func fix(_ endpoints: [FixedEndpoint]) {
        let keys = Set(endpoints.map(\.key))
        for gone in fixed where !keys.contains(gone.key) { self.endpoints.remove(gone.key) }
        let addresses = Set(endpoints.flatMap(\.neighbors))
        for neighbor in fixed.flatMap(\.neighbors) where !addresses.contains(neighbor) {
            neighbors.remove(neighbor)
        }
        for endpoint in endpoints {
            fix(
                network: endpoint.key.network, mac: endpoint.key.mac,
                addresses: endpoint.addresses, at: endpoint.place)
        }
        fixed = endpoints
    }

    /// Fixes an endpoint and its addresses, whatever was learned before.
    package func fix(network: UInt16, mac: MACAddress, addresses: [IPAddress], at place: Location) {
        let fixed =
            place.isPort
            ? Location.port(place.index, fixed: true)
            : Location.peer(place.index, fixed: true)
        let key = EndpointKey(network: network, mac: mac)
        if let known = endpoints.view.lookup(key), !known.location.isFixed { remove(key) }
        endpoints.set(key, fixed, seen: 0)
        for address in addresses {
            let key = NeighborKey(network: network, address: address)
            var neighbor = Neighbor(mac: mac, isFixed: true)
            // What it said of itself still holds.
            if let known = neighbors.get(key), known.mac == mac { neighbor.role = known.role }
            neighbors.set(key, neighbor)
        }
    }

    /// Applies everything that workers have reported. `now` in seconds.
    package func applySightings(now: UInt32) {
        for queue in queues {
            while let sighting = queue.take() { apply(sighting, now: now) }
        }
        domain.collect()
    }

    private func apply(_ sighting: Sighting, now: UInt32) {
        let key = sighting.endpoint
        if let known = endpoints.view.lookup(key) {
            if !known.location.isFixed {
                if !known.location.isSamePlace(as: sighting.location) {
                    moves += 1
                    whenLearned(key, known.location, sighting.location)
                }
                endpoints.set(key, sighting.location, seen: now)
            } else if !known.location.isSamePlace(as: sighting.location) {
                return
            }
        } else if hasRoom(in: key.network) {
            endpoints.set(key, sighting.location, seen: now)
            learned[key.network, default: 0] += 1
            whenLearned(key, nil, sighting.location)
        } else {
            refused += 1
            return
        }
        learnNeighbor(sighting)
    }

    private func learnNeighbor(_ sighting: Sighting) {
        guard sighting.address != .any, !sighting.address.isMulticast else { return }
        let key = NeighborKey(network: sighting.endpoint.network, mapped: sighting.address)
        var neighbor = Neighbor(mac: sighting.endpoint.mac, role: sighting.role)
        if let known = neighbors.get(key) {
            guard known.mac == neighbor.mac || !known.isFixed else { return }
            neighbor.isFixed = known.isFixed
            // What it said earlier holds until it says otherwise.
            if known.mac == neighbor.mac, neighbor.role == .unknown { neighbor.role = known.role }
            guard neighbor != known else { return }
        } else if neighbors.count >= endpointLimit {
            return
        }
        neighbors.set(key, neighbor)
    }

    /// Where an endpoint is, as an earlier process has learned it; nothing that is known already is
    /// changed.
    /// - Returns: whether it was taken.
    package func restore(_ key: EndpointKey, _ location: Location, seen: UInt32) -> Bool {
        guard endpoints.view.lookup(key) == nil, hasRoom(in: key.network) else { return false }
        endpoints.set(key, location.unfixed, seen: seen)
        learned[key.network, default: 0] += 1
        return true
    }

    /// No network may learn more than its share, so that none can keep the others from learning.
    private func hasRoom(in network: UInt16) -> Bool {
        endpoints.count < endpointLimit
            && learned[network, default: 0] < max(1, endpointLimit / max(1, networkCount))
    }

    private func forgetLearned(_ key: EndpointKey) {
        if let known = endpoints.view.lookup(key) { whenLearned(key, known.location, nil) }
        remove(key)
    }

    private func remove(_ key: EndpointKey) {
        if endpoints.remove(key) { learned[key.network, default: 0] -= 1 }
    }

    /// Forgets endpoints that were not seen for their network's ageing time, and neighbours whose
    /// MAC is no endpoint any more. Looks at the whole of a small table per call, and at a
    /// sixteenth of a large one, so that a table of a million does not hold up sightings.
    package func age(now: UInt32) {
        let piece = max(1 << 14, endpoints.slotCount / 16)
        if cursor >= endpoints.slotCount {
            cursor = 0
            forgetOrphanedNeighbors()
        }
        var expired: [EndpointKey] = []
        endpoints.forEach(inSlots: cursor..<cursor + piece) { key, location, seen in
            guard !location.isFixed, Int(key.network) < ageing.count,
                now &- seen >= ageing[Int(key.network)], now &- seen < 1 << 31
            else { return }
            expired.append(key)
        }
        cursor += piece
        for key in expired { forgetLearned(key) }
        aged += UInt64(expired.count)
        domain.collect()
    }

    private func forgetOrphanedNeighbors() {
        let view = endpoints.view
        var orphans: [NeighborKey] = []
        neighbors.forEach { key, mac, fixed in
            if !fixed, view.lookup(EndpointKey(network: key.network, mac: mac)) == nil {
                orphans.append(key)
            }
        }
        for key in orphans { neighbors.remove(key) }
    }

    /// Forgets endpoints that were learned at places, or in networks, of which that holds no
    /// longer, and addresses that were learned for them. What is fixed stays.
    package func forget(_ places: Set<Location>, networks: Set<UInt16> = []) {
        guard !places.isEmpty || !networks.isEmpty else { return }
        var affected: Set<EndpointKey> = []
        var gone: [EndpointKey] = []
        endpoints.forEach { key, location, _ in
            guard places.contains(location.unfixed) || networks.contains(key.network) else {
                return
            }
            affected.insert(key)
            if !location.isFixed { gone.append(key) }
        }
        for key in gone { forgetLearned(key) }
        var addresses: [NeighborKey] = []
        neighbors.forEach { key, mac, isFixed in
            guard !isFixed else { return }
            let isAffected =
                networks.contains(key.network)
                || affected.contains(EndpointKey(network: key.network, mac: mac))
            if isAffected { addresses.append(key) }
        }
        for key in addresses { neighbors.remove(key) }
    }

    /// Forgets a learned endpoint and the addresses that were learned for it.
    /// - Returns: whether something was known that is not fixed.
    package func forget(_ key: EndpointKey) -> Bool {
        var addresses: [NeighborKey] = []
        neighbors.forEach { neighbor, mac, isFixed in
            if !isFixed, neighbor.network == key.network, mac == key.mac {
                addresses.append(neighbor)
            }
        }
        for address in addresses { neighbors.remove(address) }
        guard let known = endpoints.view.lookup(key), !known.location.isFixed else {
            return !addresses.isEmpty
        }
        forgetLearned(key)
        return true
    }

    /// Forgets who has an address, unless that is fixed.
    /// - Returns: whether something was known that is not fixed.
    package func forget(_ key: NeighborKey) -> Bool {
        guard let known = neighbors.get(key), !known.isFixed else { return false }
        return neighbors.remove(key)
    }
}
