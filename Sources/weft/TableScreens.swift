package import ControlAPI

/// The endpoint table, by network and MAC.
package enum EndpointsScreen {
    /// One endpoint per line.
    package static func render(_ entries: [EndpointEntry]) -> String {
        guard !entries.isEmpty else { return "no endpoints are known\n" }
        var table = TextTable([
            ("NETWORK", .left), ("MAC", .left), ("WHERE", .left), ("ORIGIN", .left),
            ("AGE", .right), ("ADDRESSES", .left),
        ])
        for entry in entries.sorted(by: { ($0.network, $0.mac) < ($1.network, $1.mac) }) {
            let location =
                switch entry.location {
                case .port(let name): "port \(name)"
                case .peer(let name): "peer \(name)"
                }
            table.add([
                entry.network, entry.mac, location, entry.origin.rawValue,
                entry.ageSeconds.map { "\($0) s" } ?? "-", entry.ips.joined(separator: " "),
            ])
        }
        return table.text
    }
}

/// The neighbour table.
package enum NeighborsScreen {
    /// A line for each address.
    package static func render(_ entries: [NeighbourEntry]) -> String {
        var table = TextTable([
            ("NETWORK", .left), ("IP", .left), ("MAC", .left), ("ORIGIN", .left), ("AGE", .right),
        ])
        for entry in entries {
            table.add([
                entry.network, entry.ip, entry.mac, entry.origin.rawValue,
                entry.ageSeconds.map { "\($0) s" } ?? "-",
            ])
        }
        return table.text
    }
}

/// Every counter of a host, in full.
package enum StatsScreen {
    /// The totals and the drops; with `all` the reasons too for which nothing was dropped.
    package static func render(_ counters: CounterStatus, all: Bool) -> String {
        var totals = TextTable([("COUNTED", .left), ("NUMBER", .right)])
        for (name, count) in counters.totals.sorted(by: { $0.key < $1.key }) {
            totals.add([name, "\(count)"])
        }
        var drops = TextTable([
            ("DROPPED", .left), ("FRAMES", .right), ("COPIES", .right), ("MEANING", .left),
        ])
        for drop in counters.drops {
            drops.add([drop.reason, "\(drop.count)", "\(drop.copies)", drop.description])
        }
        if all {
            let shown = Set(counters.drops.map(\.reason))
            for reason in counters.dropsByReason.keys.sorted() where !shown.contains(reason) {
                drops.add([reason, "0", "0", ""])
            }
        }
        let text = drops.text.isEmpty ? "nothing was dropped\n" : drops.text
        return [totals.text, text].filter { !$0.isEmpty }.joined(separator: "\n")
    }
}
