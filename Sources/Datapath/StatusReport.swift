// What the datapath tells of itself. Counters are read while the workers count on; tables are
// read by the thread that writes them.

import Catalog
public import ControlAPI
import Forwarding
import Ports
import Wire

extension Datapath: StatusProvider {
    public func status() -> Status {
        let keeper = keeper
        let (networks, ports, peers, underlay) = keeper.perform {
            let (networks, ports, peers) = keeper.statusOfTables()
            let now = WorkerTables.nanoseconds()
            let underlay = keeper.allowances.status(of: keeper.underlay, now: now)
            return (networks, ports, peers, underlay)
        }
        return Status(
            version: Release.version, host: configuration.host,
            uptimeSeconds: Int(startedAt.duration(to: .now).components.seconds),
            workers: workers.map(status(of:)), networks: networks, ports: ports, peers: peers,
            counters: counterStatus(), underlay: underlay, process: .current(),
            captures: captures().count)
    }

    public func endpoints() -> [EndpointEntry] {
        let keeper = keeper
        return keeper.perform { keeper.endpointEntries() }
    }

    public func neighbours() -> [NeighbourEntry] {
        let keeper = keeper
        return keeper.perform { keeper.neighbourEntries() }
    }

    private func status(of worker: WorkerThread) -> WorkerStatus {
        var states: [String: FeatureStatus] = [:]
        for (name, feature) in features.all {
            states[name] = FeatureStatus(inUse: feature.inUse, reason: feature.reason)
        }
        states["uso"] = statusOfUSO()
        if worker.tables.has(.segmentationRefused) {
            let reason = "a device refused a segmented message"
            states["udpSegment"] = FeatureStatus(inUse: false, reason: reason)
            states["trains"] = FeatureStatus(inUse: false, reason: reason)
        }
        let busyPoll =
            switch configuration.busyPoll {
            case .adaptive: "adaptive"
            case .off: "off"
            case .microseconds(let time): "\(time)us"
            }
        return WorkerStatus(
            index: worker.index, cpu: worker.cpu, busyPoll: busyPoll, features: states,
            missedMessages: worker.missedMessages, load: worker.load)
    }

    /// UDP superframes from TAPs: known once there is one.
    private func statusOfUSO() -> FeatureStatus {
        guard configuration.offloads.uso else {
            return FeatureStatus(inUse: false, reason: "off by offloads.uso")
        }
        return switch keeper.perform({ [keeper] in keeper.kernelTakesUSO }) {
        case true?: FeatureStatus(inUse: true)
        case false?: FeatureStatus(inUse: false, reason: "needs Linux 6.2")
        case nil: FeatureStatus(inUse: false, reason: "no TAP yet")
        }
    }

    private func counterStatus() -> CounterStatus {
        let counters = workers.map(\.tables.counters)
        var totals: [String: UInt64] = [:]
        for total in Total.allCases { totals["\(total)"] = counters.sum { $0.read(total) } }
        let tables = keeper.perform { [keeper] in keeper.tableTotals() }
        totals.merge(tables) { $1 }
        return CounterStatus(
            totals: totals,
            drops: Drop.allCases.map { drop in
                DropCount(
                    reason: drop.name, description: drop.help,
                    count: counters.sum { $0.read(drop: drop) },
                    copies: counters.sum { $0.read(copyDrop: drop) })
            })
    }
}

extension Keeper {
    fileprivate func statusOfTables() -> ([NetworkStatus], [PortStatus], [PeerStatus]) {
        var endpoints = [Int](repeating: 0, count: rows.networks.rows.count)
        tables.endpoints.forEach { key, _, _ in
            if Int(key.network) < endpoints.count { endpoints[Int(key.network)] += 1 }
        }
        let networks = rows.networks.entries.map { row, network in
            NetworkStatus(
                name: network.name, vni: network.vni, mtu: plan.mtu(of: network),
                ports: configuration.ports.count { $0.network == network.name },
                peers: configuration.peers(of: network).count, endpoints: endpoints[row],
                dropsByReason: dropped(ofNetwork: row).since(baselines.networks[row]))
        }
        let ports = rows.ports.entries.map { status(of: $0.element, $0.row) }
        let peers = rows.peers.entries.map { row, peer in
            PeerStatus(
                name: peer.name, address: peer.address.description, pathMTU: pathMTUs[row],
                counters: counted(forPeer: row).since(baselines.peers[row]))
        }
        return (networks, ports, peers)
    }

    private func status(of port: Port, _ row: Int) -> PortStatus {
        let link = ports[row].flatMap { try? $0.state() }
        return PortStatus(
            name: port.name, network: port.network, kind: port.kind.rawValue,
            device: port.device, state: link.map { $0.isRunning ? .up : .down } ?? .missing,
            mtu: link?.mtu ?? 0,
            missedFrames: link.flatMap { ports[row]?.missedFrames($0) } ?? 0,
            counters: counted(forPort: row).since(baselines.ports[row]),
            limits: limits(of: port, row))
    }

    /// The limits of a port and what they have held back; nil if it has none.
    private func limits(of port: Port, _ row: Int) -> PortLimitsStatus? {
        guard port.limits != PortLimits() else { return nil }
        func status(_ limit: RateLimit?, _ counter: FlowCounter) -> LimitStatus? {
            guard let limit else { return nil }
            return LimitStatus(
                bitsPerSecond: limit.rate, burstBytes: limit.burstInEffect,
                packetsPerSecond: limit.packets,
                drops: overLimit(row, counter) &- (baselines.overLimit[row]?[counter] ?? 0))
        }
        return PortLimitsStatus(
            fromVM: status(port.limits.fromVM, .overLimitFromVM),
            toVM: status(port.limits.toVM, .overLimitToVM))
    }

    private func overLimit(_ row: Int, _ counter: FlowCounter) -> UInt64 {
        workerTables.map(\.counters).sum { $0.read(port: row, counter) }
    }

    /// Has what limits held back count from zero for a row that is another's now.
    func startCountingLimits(_ row: Int) {
        baselines.overLimit[row] = [
            .overLimitFromVM: overLimit(row, .overLimitFromVM),
            .overLimitToVM: overLimit(row, .overLimitToVM),
        ]
    }

    /// What was counted for a row since the start, whoever had it.
    func counted(forPort row: Int) -> TrafficCounters {
        let counters = workerTables.map(\.counters)
        return traffic(
            { counter in counters.sum { $0.read(port: row, counter) } },
            { reason in counters.sum { $0.read(port: row, drop: reason) } })
    }

    /// What was counted for a row since the start, whoever had it.
    func counted(forPeer row: Int) -> TrafficCounters {
        let counters = workerTables.map(\.counters)
        return traffic(
            { counter in counters.sum { $0.read(peer: row, counter) } },
            { reason in counters.sum { $0.read(peer: row, drop: reason) } })
    }

    /// What was dropped of a row's network since the start, whoever had it.
    func dropped(ofNetwork row: Int) -> [String: UInt64] {
        let counters = workerTables.map(\.counters)
        return reasons { reason in counters.sum { $0.read(network: row, drop: reason) } }
    }

    private func traffic(
        _ read: (FlowCounter) -> UInt64, _ dropped: (Drop) -> UInt64
    ) -> TrafficCounters {
        let drops = read(.drops)
        return TrafficCounters(
            rxFrames: read(.receivedFrames), rxBytes: read(.receivedBytes),
            txFrames: read(.sentFrames), txBytes: read(.sentBytes), drops: drops,
            // A row that nothing was dropped of is not touched, not even to look at it.
            dropsByReason: drops > 0 ? reasons(dropped) : [:])
    }

    /// Those that there were.
    private func reasons(_ read: (Drop) -> UInt64) -> [String: UInt64] {
        var counts: [String: UInt64] = [:]
        for reason in Drop.allCases {
            let count = read(reason)
            if count > 0 { counts[reason.name] = count }
        }
        return counts
    }

    fileprivate func tableTotals() -> [String: UInt64] {
        [
            "endpointMoves": tables.moves, "endpointsAged": tables.aged,
            "endpointsRefused": tables.refused,
        ]
    }

    fileprivate func endpointEntries() -> [EndpointEntry] {
        var addresses: [EndpointKey: [String]] = [:]
        tables.neighbors.forEach { key, mac, _ in
            addresses[EndpointKey(network: key.network, mac: mac), default: []]
                .append(text(key.address))
        }
        let now = WorkerTables.seconds()
        var entries: [EndpointEntry] = []
        tables.endpoints.forEach { key, location, seen in
            guard let place = place(location), let network = name(ofNetwork: key.network)
            else { return }
            entries.append(
                EndpointEntry(
                    network: network, mac: key.mac.description,
                    ips: (addresses[key] ?? []).sorted(), location: place,
                    origin: location.isFixed ? .static : .learned,
                    ageSeconds: location.isFixed ? nil : Int(now &- seen)))
        }
        return entries.sorted { ($0.network, $0.mac) < ($1.network, $1.mac) }
    }

    fileprivate func neighbourEntries() -> [NeighbourEntry] {
        let view = tables.endpoints.view
        let now = WorkerTables.seconds()
        var entries: [NeighbourEntry] = []
        tables.neighbors.forEach { key, mac, fixed in
            guard let network = name(ofNetwork: key.network) else { return }
            let seen = view.lookup(EndpointKey(network: key.network, mac: mac))?.seen
            entries.append(
                NeighbourEntry(
                    network: network, ip: text(key.address), mac: mac.description,
                    origin: fixed ? .static : .learned,
                    ageSeconds: fixed ? nil : seen.map { Int(now &- $0) }))
        }
        return entries.sorted { ($0.network, $0.ip) < ($1.network, $1.ip) }
    }

    private func text(_ address: IPv6Address) -> String {
        address.mappedIPv4?.description ?? address.description
    }

    func name(ofNetwork index: UInt16) -> String? {
        rows.networks[Int(index)]?.name
    }

    func place(_ location: Location) -> EndpointLocation? {
        let row = Int(location.index)
        if location.isPort { return rows.ports[row].map { .port($0.name) } }
        return rows.peers[row].map { .peer($0.name) }
    }
}

extension [Counters] {
    fileprivate func sum(_ read: (Counters) -> UInt64) -> UInt64 {
        reduce(0) { $0 &+ read($1) }
    }
}

/// What was counted for rows before they became those of who has them now.
struct Baselines {
    var ports: [Int: TrafficCounters] = [:]
    var peers: [Int: TrafficCounters] = [:]
    var networks: [Int: [String: UInt64]] = [:]
    var overLimit: [Int: [FlowCounter: UInt64]] = [:]
}

extension TrafficCounters {
    fileprivate func since(_ earlier: TrafficCounters?) -> TrafficCounters {
        guard let earlier else { return self }
        return TrafficCounters(
            rxFrames: rxFrames &- earlier.rxFrames, rxBytes: rxBytes &- earlier.rxBytes,
            txFrames: txFrames &- earlier.txFrames, txBytes: txBytes &- earlier.txBytes,
            drops: drops &- earlier.drops,
            dropsByReason: dropsByReason.since(earlier.dropsByReason))
    }
}

extension [String: UInt64] {
    /// What has been added to an earlier count, without what has not.
    fileprivate func since(_ earlier: [String: UInt64]?) -> [String: UInt64] {
        guard let earlier else { return self }
        return merging(earlier) { $0 &- $1 }.filter { $0.value > 0 }
    }
}
