// What the keeper tells of: ports that come and go, stations that are seen, move and are forgotten.

import Catalog
import ControlAPI
import Forwarding
import Wire

extension Keeper {
    /// Has the tables tell of what they learn.
    func tellOfStations() {
        tables.whenLearned = { [unowned self] key, from, to in
            guard events.isHeard, let network = name(ofNetwork: key.network) else { return }
            let kind: Event.Kind =
                from == nil ? .endpointLearned : to == nil ? .endpointForgotten : .endpointMoved
            events.tell(
                Event(
                    kind, network: network, mac: key.mac.description, from: from.flatMap(place),
                    to: to.flatMap(place)))
        }
    }

    /// Notes whether a port's device passes frames, and tells of it if that is new.
    func note(port row: Int, isUp: Bool, _ detail: String? = nil) {
        guard isUp != upPorts.contains(row), let port = rows.ports[row] else { return }
        if isUp { upPorts.insert(row) } else { upPorts.remove(row) }
        events.tell(
            Event(
                isUp ? .portUp : .portDown, network: port.network, port: port.name,
                detail: detail))
    }
}
