/// A status in the text format of Prometheus, version 0.0.4.
public enum Prometheus {
    /// The media type of the format.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The reply to `GET /metrics`.
    public static func render(_ status: Status) -> String {
        var page = MetricsPage()
        addDaemon(status, to: &page)
        addLoads(status.workers, to: &page)
        addUnderlay(status.underlay, to: &page)
        addNetworks(status.networks, to: &page)
        addPorts(status.ports, to: &page)
        addLimits(status.ports, to: &page)
        addPeers(status.peers, to: &page)
        addCounters(status.counters, to: &page)
        addProcess(status.process, to: &page)
        return page.text
    }

    private static func addDaemon(_ status: Status, to page: inout MetricsPage) {
        page.metric("weft_info", .gauge, "Version of the daemon and name of the host; always 1.")
        page.sample([("version", status.version), ("host", status.host)], 1)
        page.metric("weft_uptime_seconds", .gauge, "Seconds since the daemon started.")
        page.sample([], UInt64(max(0, status.uptimeSeconds)))
        page.metric(
            "weft_worker_feature", .gauge,
            "Whether a worker uses a feature of the kernel (1) or has stepped down (0).")
        for worker in status.workers {
            for (feature, state) in worker.features.sorted(by: { $0.key < $1.key }) {
                let labels = [("worker", String(worker.index)), ("feature", feature)]
                page.sample(labels, state.inUse ? 1 : 0)
            }
        }
        page.metric(
            "weft_worker_missed_messages_total", .counter,
            "Datagrams, or trains of them, that found a worker's socket full.")
        for worker in status.workers {
            page.sample([("worker", String(worker.index))], worker.missedMessages)
        }
    }

    private static func addNetworks(_ networks: [NetworkStatus], to page: inout MetricsPage) {
        let gauges: [(String, String, (NetworkStatus) -> Int)] = [
            ("weft_network_mtu_bytes", "Largest inner IP packet of a network.", \.mtu),
            ("weft_network_ports", "Ports of this host in a network.", \.ports),
            ("weft_network_peers", "Peers in a network.", \.peers),
            ("weft_network_endpoints", "Known endpoints of a network.", \.endpoints),
        ]
        for (name, help, value) in gauges {
            page.metric(name, .gauge, help)
            for network in networks {
                page.sample([("network", network.name)], UInt64(max(0, value(network))))
            }
        }
        page.metric(
            "weft_network_drops_by_reason_total", .counter,
            "Frames and copies of a network that were dropped, by reason.")
        for network in networks {
            page.samples([("network", network.name)], byReason: network.dropsByReason)
        }
    }

    /// What ports and peers count, by the end of the metric's name.
    private static let traffic: [(String, String, @Sendable (TrafficCounters) -> UInt64)] = [
        ("receive_packets_total", "Inner frames received from a", { $0.rxFrames }),
        ("receive_bytes_total", "Bytes of inner frames received from a", { $0.rxBytes }),
        ("transmit_packets_total", "Inner frames sent to a", { $0.txFrames }),
        ("transmit_bytes_total", "Bytes of inner frames sent to a", { $0.txBytes }),
        ("drops_total", "Frames dropped that came from or went to a", { $0.drops }),
    ]

    private static func addPorts(_ ports: [PortStatus], to page: inout MetricsPage) {
        func labels(_ port: PortStatus) -> [(String, String)] {
            [("port", port.name), ("network", port.network)]
        }
        page.metric("weft_port_up", .gauge, "Whether a port's device passes frames.")
        for port in ports { page.sample(labels(port), port.state == .up ? 1 : 0) }
        page.metric(
            "weft_port_missed_packets_total", .counter,
            "Frames that found the queue from a port's device to Weft full.")
        for port in ports { page.sample(labels(port), port.missedFrames) }
        for (name, help, count) in traffic {
            page.metric("weft_port_" + name, .counter, help + " port.")
            for port in ports { page.sample(labels(port), count(port.counters)) }
        }
        page.metric("weft_port_drops_by_reason_total", .counter, "Those of a port, by reason.")
        for port in ports { page.samples(labels(port), byReason: port.counters.dropsByReason) }
    }

    private static func addPeers(_ peers: [PeerStatus], to page: inout MetricsPage) {
        page.metric(
            "weft_peer_path_mtu_bytes", .gauge, "Largest outer IP packet on the path to a peer.")
        for peer in peers { page.sample([("peer", peer.name)], UInt64(max(0, peer.pathMTU))) }
        for (name, help, count) in traffic {
            page.metric("weft_peer_" + name, .counter, help + " peer.")
            for peer in peers { page.sample([("peer", peer.name)], count(peer.counters)) }
        }
        page.metric("weft_peer_drops_by_reason_total", .counter, "Those of a peer, by reason.")
        for peer in peers {
            page.samples([("peer", peer.name)], byReason: peer.counters.dropsByReason)
        }
    }

    private static func addCounters(_ counters: CounterStatus, to page: inout MetricsPage) {
        let drops = counters.dropsByReason.sorted { $0.key < $1.key }
        page.metric("weft_drops_total", .counter, "Frames that went no further, by reason.")
        for (reason, tally) in drops { page.sample([("reason", reason)], tally.count) }
        page.metric(
            "weft_copy_drops_total", .counter,
            "Copies made by flooding that went no further, by reason.")
        for (reason, tally) in drops { page.sample([("reason", reason)], tally.copies) }
        page.metric("weft_events_total", .counter, "What workers count besides drops, by event.")
        for (event, count) in counters.totals.sorted(by: { $0.key < $1.key }) {
            page.sample([("event", event)], count)
        }
    }
}

/// Writes metrics one by one: help and type, then the samples.
struct MetricsPage {
    enum Kind: String {
        case gauge, counter, histogram
    }

    private(set) var text = ""
    private var name = ""

    mutating func metric(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        let help = help.escaped([("\\", "\\\\"), ("\n", "\\n")])
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ labels: [(String, String)], _ value: UInt64) {
        sample(labels, "\(value)")
    }

    /// A sample for each reason that something was dropped for; none for those that never were,
    /// of which a host with many ports would have very many.
    mutating func samples(_ labels: [(String, String)], byReason drops: [String: UInt64]) {
        for (reason, count) in drops.sorted(by: { $0.key < $1.key }) where count > 0 {
            sample(labels + [("reason", reason)], count)
        }
    }

    /// A histogram's samples. `counts` has one more than `bounds`, for what is above them all.
    mutating func histogram(
        _ labels: [(String, String)], bounds: [Double], counts: [UInt64], sum: Double
    ) {
        var total: UInt64 = 0
        for (count, bound) in zip(counts, bounds.map { "\($0)" } + ["+Inf"]) {
            total &+= count
            sample(labels + [("le", bound)], "\(total)", suffix: "_bucket")
        }
        sample(labels, "\(sum)", suffix: "_sum")
        sample(labels, "\(total)", suffix: "_count")
    }

    mutating func sample(_ labels: [(String, String)], _ value: String, suffix: String = "") {
        text += name + suffix
        if !labels.isEmpty {
            let list = labels.map { label, value in
                "\(label)=\"\(value.escaped([("\\", "\\\\"), ("\n", "\\n"), ("\"", "\\\"")]))\""
            }
            text += "{" + list.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }
}

extension String {
    /// Each character that has a replacement replaced by it.
    fileprivate func escaped(_ replacements: [(Character, String)]) -> String {
        var result = ""
        for scalar in unicodeScalars {
            let character = Character(scalar)
            result += replacements.first { $0.0 == character }?.1 ?? String(character)
        }
        return result
    }
}
