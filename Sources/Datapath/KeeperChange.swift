// Changing a running host: networks, ports and peers become what a new configuration says, while
// who is in both goes on.
//
// A worker must never meet a row that its topology does not have, nor send to one that stands for
// something else now:
//
//   close     devices of ports that go, or whose device changes
//   settle    fixed endpoints are those that are right before and after; what was learned of rows
//             that change is forgotten
//   publish   the new topology, and wait until every worker reads it
//   enter     what workers reported meanwhile is forgotten too; all fixed endpoints, new devices

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
        closeDevices(rows, change)
        let networksBefore = self.rows.networks
        let planBefore = plan
        self.rows = rows
        configuration = new
        growArrays()
        startCounting(change)
        pathMTUs = Keeper.measurePaths(rows.peers, underlay)
        plan = makePlan()
        let fixed = plan.fixedEndpoints
        tables.fix(fixed.filter { change.holdsThroughout($0.key.network, $0.place) })
        tables.forget(change.staleLocations, networks: change.staleNetworks)
        tables.publish(plan.description)
        tables.domain.synchronize { usleep(50) }
        tables.applySightings(now: WorkerTables.seconds())
        tables.forget(change.staleLocations, networks: change.staleNetworks)
        tables.fix(fixed)
        followCaptures()
        tellMTUs(networksBefore, planBefore)
        setMTUs()
        followNamespaces()
        attachMissing()
        return .success(change.summary + missingDevices)
    }

    /// Why a configuration cannot be taken over by a running daemon; nil if it can.
    func refusal(of new: Configuration) -> DatapathError? {
        refusal(of: new, rows.replaced(by: new).0)
    }

    private func refusal(of new: Configuration, _ rows: Rows) -> DatapathError? {
        let sections = configuration.sectionsThatNeedRestart(for: new)
        guard sections.isEmpty else {
            return DatapathError(
                description: "\(sections.joined(separator: ", ")): read at start only; nothing "
                    + "was changed: restart weftd, or put back what was there")
        }
        let counts = [
            ("networks", new.networks.count, rows.networks.rows.count, Rows.Capacity.most),
            ("ports", new.ports.count, rows.ports.rows.count, capacity.ports),
            ("peers", new.peers.count, rows.peers.rows.count, capacity.peers),
        ]
        for (name, count, needed, room) in counts where needed > room {
            let advice =
                count > Rows.Capacity.most
                ? "\(Rows.Capacity.most) fit on a host"
                : count > room
                    ? "this daemon has had room for \(room) since its start: restart weftd"
                    : "with those that they replace \(needed), and there is room for \(room): "
                        + "take the old ones out first, or restart weftd"
            return DatapathError(
                description: "\(name): \(count) of them; \(advice); nothing was changed")
        }
        return nil
    }

    /// Closes devices of ports that go or get another. A TAP goes with its port, unless a port of
    /// the new configuration has it.
    private func closeDevices(_ new: Rows, _ change: Rows.Change) {
        let wanted = Set(new.ports.entries.map { $0.element.place })
        for row in change.ports.removed + change.ports.changed {
            guard let before = rows.ports[row] else { continue }
            let after = new.ports[row]
            if let after, before.hasSameDevice(as: after) { continue }
            if let after, before.place == after.place {
                ports[row]?.removeAddresses(
                    before.addresses.filter { !after.addresses.contains($0) })
            }
            detach(row, deletingDevice: !wanted.contains(before.place))
            complaints[row] = nil
        }
    }

    private func growArrays() {
        let missing = rows.ports.rows.count - ports.count
        ports += [AttachedPort?](repeating: nil, count: missing)
        complaints += [String?](repeating: nil, count: missing)
    }

    /// Rows that are new begin at zero, whoever had them before.
    private func startCounting(_ change: Rows.Change) {
        for row in change.ports.added {
            baselines.ports[row] = counted(forPort: row)
            startCountingLimits(row)
        }
        for row in change.peers.added { baselines.peers[row] = counted(forPeer: row) }
        for row in change.networks.added {
            baselines.networks[row] = dropped(ofNetwork: row)
        }
    }

    /// Guests have to follow the MTU of their network by themselves.
    private func tellMTUs(_ networks: RowTable<Network>, _ before: TopologyPlan) {
        for (row, network) in rows.networks.entries {
            guard let old = networks[row], old.name == network.name else { continue }
            let (from, to) = (before.mtu(of: old), plan.mtu(of: network))
            if from != to {
                logger.notice("network \(network.name): its MTU is \(to), was \(from)")
            }
        }
    }

    private var missingDevices: String {
        let names = rows.ports.entries.filter { ports[$0.row] == nil }.map(\.element.name)
        guard !names.isEmpty else { return "" }
        let more = names.count > 8 ? " and \(names.count - 8) more" : ""
        return "; without a device: \(names.prefix(8).joined(separator: ", "))\(more)"
    }

    /// Listens in the namespaces that have ports, and in no others, which it would keep alive.
    private func followNamespaces() {
        let used = Set(rows.ports.entries.map(\.element.place.namespace))
        for namespace in monitors.keys where !used.contains(namespace) {
            monitors[namespace] = nil
            if let namespace { namespaceIdentities[namespace] = nil }
        }
        watchLinks()
    }
}

extension Port {
    /// Where a device is, however its namespace is written.
    struct Place: Hashable {
        var device: String
        var namespace: NetworkNamespace?
    }

    var place: Place { Place(device: device, namespace: netns.map { NetworkNamespace($0) }) }

    /// Whether `other` is the same device, set up in the same way: who may use it and how, what
    /// else a port says, changes while it is open.
    fileprivate func hasSameDevice(as other: Port) -> Bool {
        place == other.place && kind == other.kind && addresses == other.addresses
            && mac == other.mac && owner == other.owner && group == other.group
    }
}
