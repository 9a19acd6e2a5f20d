// Changing a running host: networks, ports and peers become what a new configuration says, while
// who is in both goes on.
//
// A worker must never meet a row that its topology does not have, nor send to a peer that is gone:
//
//   release   nothing leads to what is to go: endpoints at removed peers, removed ports' devices
//   publish   the new topology, and wait until every worker reads it
//   forget    what workers reported of the rows that are empty now
//   enter     the endpoints that the new configuration names, and the new ports' devices

import Catalog
import Forwarding
import Glibc
import Logging
import Ports

extension Keeper {
    /// Makes networks, ports and peers what `new` says. A port whose device cannot be had is tried
    /// again later, as at the start.
    /// - Returns: what has changed, for people; or why nothing has.
    func apply(_ new: Configuration) -> Result<String, DatapathError> {
        let (rows, change) = rows.replaced(by: new)
        if let refusal = refusal(of: new, rows) { return .failure(refusal) }
        guard !change.isEmpty else { return .success("nothing has changed") }
        let homeless = moved(rows, change)
        release(rows, change)
        self.rows = rows
        configuration = new
        makeRoom(change)
        pathMTUs = Keeper.measurePaths(rows.peers, underlay)
        publish()
        tables.domain.synchronize { usleep(50) }
        forget(change, homeless)
        tables.fix(plan.fixedEndpoints)
        setMTUs()
        followNamespaces()
        attachMissing()
        return .success(
            "networks \(change.networks.summary), ports \(change.ports.summary), "
                + "peers \(change.peers.summary)")
    }

    /// Why a configuration cannot be taken over by a running daemon; nil if it can.
    private func refusal(of new: Configuration, _ rows: Rows) -> DatapathError? {
        let sections = configuration.sectionsThatNeedRestart(for: new)
        guard sections.isEmpty else {
            return DatapathError(
                description: "\(sections.joined(separator: ", ")): read at start only; nothing "
                    + "was changed: restart weftd, or put back what was there")
        }
        let counts = [
            ("networks", rows.networks.rows.count, Rows.Capacity.most),
            ("ports", rows.ports.rows.count, capacity.ports),
            ("peers", rows.peers.rows.count, capacity.peers),
        ]
        for (name, count, most) in counts where count > most {
            return DatapathError(
                description: "\(name): a daemon that was started with as few as this one takes "
                    + "\(most) at most; nothing was changed: restart weftd")
        }
        return nil
    }

    /// Lets go of what is to go. A port whose device changes gives the old one back.
    private func release(_ new: Rows, _ change: Rows.Change) {
        let gonePeers = Set(change.peers.removed.map { Location.peer(UInt16($0)) })
        let gonePorts = Set(change.ports.removed.map { Location.port(UInt16($0)) })
        tables.release { !gonePeers.contains($0.place) && !gonePorts.contains($0.place) }
        for place in gonePeers { tables.forget(place) }
        for row in change.ports.removed {
            detach(row, deletingDevice: true)
            complaints[row] = nil
        }
        for row in change.ports.changed {
            guard let before = rows.ports[row], let after = new.ports[row],
                !before.hasSameDevice(as: after)
            else { continue }
            detach(row, deletingDevice: before.device != after.device || before.kind != after.kind)
        }
    }

    /// Rows that are new begin at zero, whoever had them before.
    private func makeRoom(_ change: Rows.Change) {
        let missing = rows.ports.rows.count - ports.count
        ports += [AttachedPort?](repeating: nil, count: missing)
        complaints += [String?](repeating: nil, count: missing)
        for row in change.ports.added { baselines.ports[row] = counted(forPort: row) }
        for row in change.peers.added { baselines.peers[row] = counted(forPeer: row) }
    }

    /// Rows that stay but whose learned endpoints do not: ports that change their network, and
    /// networks that change their VNI, which are others then.
    private func moved(_ new: Rows, _ change: Rows.Change) -> (ports: [Int], networks: [Int]) {
        (
            change.ports.changed.filter { rows.ports[$0]?.network != new.ports[$0]?.network },
            change.networks.changed.filter { rows.networks[$0]?.vni != new.networks[$0]?.vni }
        )
    }

    /// Forgets what was learned of rows that are empty now or stand for something else, and what
    /// workers still reported of them.
    private func forget(_ change: Rows.Change, _ moved: (ports: [Int], networks: [Int])) {
        tables.applySightings(now: WorkerTables.seconds())
        for row in change.peers.removed { tables.forget(.peer(UInt16(row))) }
        for row in change.ports.removed + moved.ports { tables.forget(.port(UInt16(row))) }
        for row in change.networks.removed + moved.networks {
            tables.forget(network: UInt16(row))
        }
    }

    /// Listens in the namespaces that have ports, and in no others, which it would keep alive.
    private func followNamespaces() {
        let used = Set(rows.ports.entries.map { $0.element.netns.map { NetworkNamespace($0) } })
        for namespace in monitors.keys where !used.contains(namespace) {
            monitors[namespace] = nil
            if let namespace { namespaceIdentities[namespace] = nil }
        }
        watchLinks()
    }
}
