// Rows: which row of the tables each network, port and peer has.
//
// Endpoints, counters and frames under way go by rows. So what stays in the configuration keeps its
// row whatever else comes and goes, and what goes leaves its row empty. An empty row is given away
// by a later change only, when nothing refers to it any more.

import Catalog

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
    /// What a change of the configuration does to rows.
    struct Change {
        var networks: RowTable<Network>.Change
        var ports: RowTable<Port>.Change
        var peers: RowTable<Peer>.Change

        var isEmpty: Bool { networks.isEmpty && ports.isEmpty && peers.isEmpty }
    }

    /// How many rows workers have memory for, which does not grow: twice what the configuration
    /// has at their start, and 1024 at least.
    struct Capacity {
        /// Rows have 16-bit numbers, of which endpoints and topologies use one for themselves.
        static let most = 65534
        let ports: Int
        let peers: Int

        init(for configuration: Configuration) {
            func room(_ count: Int) -> Int { min(Self.most, max(1024, count * 2)) }
            ports = room(configuration.ports.count)
            peers = room(configuration.peers.count)
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
        return (
            Rows(networks: networks, ports: ports, peers: peers),
            Change(networks: networkChange, ports: portChange, peers: peerChange)
        )
    }
}
