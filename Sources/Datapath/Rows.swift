// Rows: which row of the tables each network, port and peer has.
//
// Endpoints, counters and frames under way go by rows. So what stays in the configuration keeps its
// row whatever else comes and goes, and what goes leaves its row empty. An empty row is given away
// by a later change only, when nothing refers to it any more.

import Catalog
import Forwarding

/// What has a name that no other of its kind has.
protocol Named: Equatable {
    var name: String { get }
}

extension Network: Named {}
extension Port: Named {}
extension Peer: Named {}

/// Elements of one kind in their rows.
struct RowTable<Element: Named> {
    /// What a change does to rows.
    struct Change: Equatable {
        var added: [Int] = []
        var removed: [Int] = []
        /// Rows whose element has become another of the same name.
        var changed: [Int] = []

        var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }

        /// For people: `+1 -2 ~1`, or `=`.
        var summary: String {
            let parts = [("+", added), ("-", removed), ("~", changed)]
            let text = parts.filter { !$1.isEmpty }.map { "\($0)\($1.count)" }
            return text.isEmpty ? "=" : text.joined(separator: " ")
        }
    }

    private(set) var rows: [Element?]
    private var places: [String: Int]

    init(_ elements: [Element]) {
        rows = elements
        places = Dictionary(
            elements.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Nil for an empty row.
    subscript(row: Int) -> Element? { rows.indices.contains(row) ? rows[row] : nil }

    func row(of name: String) -> Int? { places[name] }

    /// The rows in use.
    var entries: [(row: Int, element: Element)] {
        rows.enumerated().compactMap { row, element in element.map { (row, $0) } }
    }

    /// These elements instead, and what that does to the rows.
    func replaced(by elements: [Element]) -> (RowTable, Change) {
        var new = self
        var change = Change()
        var free = rows.indices.reversed().filter { rows[$0] == nil }
        let names = Set(elements.map(\.name))
        for (row, element) in entries where !names.contains(element.name) {
            new.rows[row] = nil
            new.places[element.name] = nil
            change.removed.append(row)
        }
        for element in elements {
            if let row = places[element.name] {
                if rows[row] != element { change.changed.append(row) }
                new.rows[row] = element
            } else {
                let row = free.popLast() ?? new.rows.count
                if row == new.rows.count { new.rows.append(nil) }
                new.rows[row] = element
                new.places[element.name] = row
                change.added.append(row)
            }
        }
        return (new, change)
    }
}

/// The rows of a configuration.
struct Rows {
    /// How many rows workers have memory for, which does not grow: twice what the configuration
    /// has at their start, and 1024 at least.
    struct Capacity {
        /// Rows have 16-bit numbers, of which endpoints and topologies use one for themselves.
        static let most = 65534
        let ports: Int
        let peers: Int
        /// Networks above that are not refused: only their drops are not counted apart.
        let networks: Int

        init(for configuration: Configuration) {
            func room(_ count: Int) -> Int { min(Self.most, max(1024, count * 2)) }
            ports = room(configuration.ports.count)
            peers = room(configuration.peers.count)
            networks = max(4096, room(configuration.networks.count))
        }
    }

    let networks: RowTable<Network>
    let ports: RowTable<Port>
    let peers: RowTable<Peer>

    init(_ configuration: Configuration) {
        networks = RowTable(configuration.networks)
        ports = RowTable(configuration.ports)
        peers = RowTable(configuration.peers)
    }

    private init(
        networks: RowTable<Network>, ports: RowTable<Port>, peers: RowTable<Peer>
    ) {
        self.networks = networks
        self.ports = ports
        self.peers = peers
    }

    func replaced(by configuration: Configuration) -> (Rows, Change) {
        let (networks, networkChange) = networks.replaced(by: configuration.networks)
        let (ports, portChange) = ports.replaced(by: configuration.ports)
        let (peers, peerChange) = peers.replaced(by: configuration.peers)
        let new = Rows(networks: networks, ports: ports, peers: peers)
        let change = Change(
            networks: networkChange, ports: portChange, peers: peerChange, from: self, to: new)
        return (new, change)
    }
}

extension Rows {
    /// What a change of the configuration does to rows.
    struct Change {
        let networks: RowTable<Network>.Change
        let ports: RowTable<Port>.Change
        let peers: RowTable<Peer>.Change
        /// Where learned endpoints are that hold no longer: their place is gone, is another, or may
        /// not have them.
        let staleLocations: Set<Location>
        /// Networks whose learned endpoints hold no longer, wherever they are.
        let staleNetworks: Set<UInt16>
        /// Rows whose fixed endpoints are not the same before and after.
        private let otherLocations: Set<Location>
        private let otherNetworks: Set<UInt16>

        fileprivate init(
            networks: RowTable<Network>.Change, ports: RowTable<Port>.Change,
            peers: RowTable<Peer>.Change, from old: Rows, to new: Rows
        ) {
            self.networks = networks
            self.ports = ports
            self.peers = peers
            func port(_ row: Int) -> Location { .port(UInt16(row)) }
            func peer(_ row: Int) -> Location { .peer(UInt16(row)) }
            func network(_ row: Int) -> UInt16 { UInt16(row) }
            let moved = ports.changed.filter { old.ports[$0]?.network != new.ports[$0]?.network }
            let checked = ports.changed.filter {
                old.ports[$0]?.macs != new.ports[$0]?.macs
                    || old.ports[$0]?.ips != new.ports[$0]?.ips
            }
            let renumbered = networks.changed.filter {
                old.networks[$0]?.vni != new.networks[$0]?.vni
            }
            let silenced = networks.changed.filter { new.networks[$0]?.learning == false }
            staleLocations = Set((ports.removed + moved + checked).map(port))
                .union((peers.removed + peers.changed).map(peer))
            staleNetworks = Set((networks.removed + renumbered + silenced).map(network))
            otherLocations = Set((ports.added + ports.removed + moved).map(port))
                .union((peers.added + peers.removed).map(peer))
            otherNetworks = Set((networks.added + networks.removed + renumbered).map(network))
        }

        var isEmpty: Bool { networks.isEmpty && ports.isEmpty && peers.isEmpty }

        /// Whether a fixed endpoint of the new configuration is right for workers that still read
        /// the old topology.
        func holdsThroughout(_ network: UInt16, _ place: Location) -> Bool {
            !otherNetworks.contains(network) && !otherLocations.contains(place)
        }

        /// For people.
        var summary: String {
            "networks \(networks.summary), ports \(ports.summary), peers \(peers.summary)"
        }
    }
}
