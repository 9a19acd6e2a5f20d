package import ControlAPI

/// A host's status on one screen.
package enum StatusScreen {
    /// How many reasons of drops the screen has room for.
    private static let reasonLimit = 8

    /// The sections that have something in them, apart by blank lines.
    package static func render(_ status: Status) -> String {
        let sections = [
            head(status), networks(status.networks), ports(status.ports), peers(status.peers),
            drops(status),
        ]
        return sections.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private static func head(_ status: Status) -> String {
        var text =
            "weftd \(status.version) on \(status.host), up \(duration(status.uptimeSeconds))\n"
        for worker in status.workers {
            let place = worker.cpu.map { "cpu \($0)" } ?? "any cpu"
            text += "worker \(worker.index): \(place), busy poll \(worker.busyPoll)"
            let features = worker.features.sorted { $0.key < $1.key }
            let used = features.filter(\.value.inUse).map(\.key)
            if !used.isEmpty { text += "; uses " + used.joined(separator: " ") }
            text += "\n"
            if worker.missedMessages > 0 {
                text += "  missed \(scaled(worker.missedMessages)) messages: its socket was full\n"
            }
            for (name, feature) in features where !feature.inUse {
                text += "  without \(name)" + (feature.reason.map { ": \($0)" } ?? "") + "\n"
            }
        }
        if status.captures > 0 { text += "captures running: \(status.captures)\n" }
        return text + warnings(status)
    }

    /// What would otherwise be seen too late.
    private static func warnings(_ status: Status) -> String {
        var text = ""
        let exceeded = (status.underlay?.allowanceExceeded ?? [:]).filter { $0.value > 0 }
        if let underlay = status.underlay, !exceeded.isEmpty {
            let counts = exceeded.sorted { $0.key < $1.key }
                .map { "\($0.key) \(scaled($0.value))" }
            text +=
                "underlay \(underlay.interface): packets beyond EC2's allowances: "
                + counts.joined(separator: ", ") + "\n"
        }
        if let process = status.process, UInt64(process.openFiles) > process.maxFiles / 10 * 9 {
            text += "\(process.openFiles) of \(process.maxFiles) file descriptors are open\n"
        }
        return text
    }

    private static func networks(_ networks: [NetworkStatus]) -> String {
        var table = TextTable([
            ("NETWORK", .left), ("VNI", .right), ("MTU", .right), ("PORTS", .right),
            ("PEERS", .right), ("ENDPOINTS", .right),
        ])
        for network in networks {
            table.add([
                network.name, "\(network.vni)", "\(network.mtu)", "\(network.ports)",
                "\(network.peers)", "\(network.endpoints)",
            ])
        }
        return table.text
    }

    private static let trafficColumns: [(title: String, alignment: TextTable.Alignment)] = [
        ("RX FRAMES", .right), ("RX BYTES", .right), ("TX FRAMES", .right), ("TX BYTES", .right),
        ("DROPS", .right),
    ]

    private static func cells(_ traffic: TrafficCounters) -> [String] {
        [
            scaled(traffic.rxFrames), scaled(traffic.rxBytes), scaled(traffic.txFrames),
            scaled(traffic.txBytes), scaled(traffic.drops),
        ]
    }

    private static func ports(_ ports: [PortStatus]) -> String {
        // A column that is worth its width only where something is wrong.
        let haveMissed = ports.contains { $0.missedFrames > 0 }
        var table = TextTable(
            [
                ("PORT", .left), ("NETWORK", .left), ("KIND", .left), ("DEVICE", .left),
                ("STATE", .left), ("MTU", .right),
            ] + trafficColumns + (haveMissed ? [("MISSED", .right)] : []))
        for port in ports {
            table.add(
                [
                    port.name, port.network, port.kind, port.device, port.state.rawValue,
                    "\(port.mtu)",
                ] + cells(port.counters) + (haveMissed ? [scaled(port.missedFrames)] : []))
        }
        return table.text
    }

    private static func peers(_ peers: [PeerStatus]) -> String {
        var table = TextTable(
            [("PEER", .left), ("ADDRESS", .left), ("PATH MTU", .right)] + trafficColumns)
        for peer in peers {
            table.add([peer.name, peer.address, "\(peer.pathMTU)"] + cells(peer.counters))
        }
        return table.text
    }

    private static func drops(_ status: Status) -> String {
        let drops = status.counters.drops
        var table = TextTable([
            ("DROPPED", .left), ("FRAMES", .right), ("COPIES", .right), ("MOST AT", .left),
            ("MEANING", .left),
        ])
        for drop in drops.prefix(reasonLimit) {
            table.add([
                drop.reason, scaled(drop.count), scaled(drop.copies),
                mostAt(drop.reason, status), drop.description,
            ])
        }
        let more = drops.count - reasonLimit
        return table.text + (more > 0 ? "and \(more) more reasons: weft stats\n" : "")
    }

    /// The port or peer that a reason has ended most frames of; `-` where there is none.
    private static func mostAt(_ reason: String, _ status: Status) -> String {
        let places =
            status.ports.map { ("port \($0.name)", $0.counters.dropsByReason[reason] ?? 0) }
            + status.peers.map { ("peer \($0.name)", $0.counters.dropsByReason[reason] ?? 0) }
        let most = places.filter { $0.1 > 0 }.max { ($0.1, $1.0) < ($1.1, $0.0) }
        return most?.0 ?? "-"
    }

    /// Two units at most, as in `3 d 4 h`.
    private static func duration(_ seconds: Int) -> String {
        let units = [
            (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"),
            (seconds % 60, "s"),
        ]
        let parts = units.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }
        return parts.isEmpty ? "0 s" : parts.map { "\($0.0) \($0.1)" }.joined(separator: " ")
    }

    /// At most four digits and a decimal unit, as in `12.3M`.
    private static func scaled(_ number: UInt64) -> String {
        guard number >= 10_000 else { return "\(number)" }
        var (value, unit) = (number, "")
        var tenths: UInt64 = 0
        for next in ["k", "M", "G", "T", "P", "E"] where value >= 1000 {
            tenths = value % 1000 / 100
            value /= 1000
            unit = next
        }
        return value < 100 ? "\(value).\(tenths)\(unit)" : "\(value)\(unit)"
    }
}
