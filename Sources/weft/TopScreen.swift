package import ControlAPI

/// Rates of ports and peers, the busiest first.
package enum TopScreen {
    /// What came and went between two looks, `seconds` apart; the busiest that fit `height` lines.
    package static func render(
        from old: Status, to new: Status, seconds: Double, height: Int? = nil
    ) -> String {
        let ports = rows(
            old.ports.map { ($0.name, $0.counters) }, new.ports.map { ($0.name, $0.counters) },
            seconds)
        let peers = rows(
            old.peers.map { ($0.name, $0.counters) }, new.peers.map { ($0.name, $0.counters) },
            seconds)
        let title = "weftd \(new.version) on \(new.host), rates a second\n\n"
        // Titles, the heads of both tables, a line for what is left out, and the cursor's.
        let room = max(2, (height ?? .max) - 9)
        let peerRoom = min(peers.count, max(room / 3, room - ports.count))
        let tables = [
            table("PORT", ports, atMost: room - peerRoom), table("PEER", peers, atMost: peerRoom),
        ].filter { !$0.isEmpty }
        return title + (tables.isEmpty ? "no ports and no peers\n" : tables.joined(separator: "\n"))
    }

    private struct Row {
        var name: String
        var rates: [Double]
        var total: Double { rates[1] + rates[3] }
    }

    private static func rows(
        _ old: [(String, TrafficCounters)], _ new: [(String, TrafficCounters)], _ seconds: Double
    ) -> [Row] {
        let before = Dictionary(old, uniquingKeysWith: { $1 })
        return new.map { name, now in
            let then = before[name] ?? TrafficCounters()
            // Counters of a name begin anew when it is taken out and put back.
            func rate(_ path: KeyPath<TrafficCounters, UInt64>, _ scale: Double = 1) -> Double {
                let (from, to) = (then[keyPath: path], now[keyPath: path])
                return Double(to >= from ? to - from : to) * scale / max(seconds, 1e-3)
            }
            return Row(
                name: name,
                rates: [
                    rate(\.rxFrames), rate(\.rxBytes, 8), rate(\.txFrames), rate(\.txBytes, 8),
                    rate(\.drops),
                ])
        }.sorted { ($1.total, $0.name) < ($0.total, $1.name) }
    }

    private static func table(_ title: String, _ rows: [Row], atMost limit: Int) -> String {
        var table = TextTable([
            (title, .left), ("RX PPS", .right), ("RX BIT/S", .right), ("TX PPS", .right),
            ("TX BIT/S", .right), ("DROPS/S", .right),
        ])
        for row in rows.prefix(limit) { table.add([row.name] + row.rates.map(scaled)) }
        let more = rows.count - limit
        return table.text + (more > 0 ? "and \(more) more\n" : "")
    }

    /// Three digits and a decimal unit, as in `12.3M`.
    private static func scaled(_ rate: Double) -> String {
        var (value, unit) = (rate, "")
        for next in ["k", "M", "G", "T"] where value >= 1000 {
            value /= 1000
            unit = next
        }
        guard !unit.isEmpty || value != value.rounded() else { return "\(Int(value))" }
        let tenths = (value * 10).rounded() / 10
        return tenths >= 100 ? "\(Int(tenths.rounded()))\(unit)" : "\(tenths)\(unit)"
    }
}
