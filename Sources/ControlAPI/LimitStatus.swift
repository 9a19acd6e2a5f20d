/// The limits of a port, and what they have held back.
public struct PortLimitsStatus: Codable, Sendable, Equatable {
    /// What may come from the VM; nil = as much as comes.
    public var fromVM: LimitStatus?
    /// What may go to the VM; nil = as much as comes.
    public var toVM: LimitStatus?

    /// Limits of either direction.
    public init(fromVM: LimitStatus? = nil, toVM: LimitStatus? = nil) {
        self.fromVM = fromVM
        self.toVM = toVM
    }

    /// The directions that are limited, by their names.
    var directions: [(name: String, limit: LimitStatus)] {
        [("fromVM", fromVM), ("toVM", toVM)].compactMap { name, limit in limit.map { (name, $0) } }
    }
}

/// A limit of one direction.
public struct LimitStatus: Codable, Sendable, Equatable {
    /// Average in bits per second, of whole Ethernet frames; nil = no limit.
    public var bitsPerSecond: Int?
    /// Bytes that may pass at once.
    public var burstBytes: Int?
    /// Frames per second on average; nil = no limit.
    public var packetsPerSecond: Int?
    /// Frames that were more than that.
    public var drops: UInt64

    /// A limit and what it has held back.
    public init(
        bitsPerSecond: Int? = nil, burstBytes: Int? = nil, packetsPerSecond: Int? = nil,
        drops: UInt64
    ) {
        self.bitsPerSecond = bitsPerSecond
        self.burstBytes = burstBytes
        self.packetsPerSecond = packetsPerSecond
        self.drops = drops
    }
}

extension Prometheus {
    static func addLimits(_ ports: [PortStatus], to page: inout MetricsPage) {
        func add(
            _ name: String, _ kind: MetricsPage.Kind, _ help: String,
            _ value: (LimitStatus) -> UInt64?
        ) {
            page.metric(name, kind, help)
            for port in ports {
                for (direction, limit) in port.limits?.directions ?? [] {
                    guard let value = value(limit) else { continue }
                    let labels = [
                        ("port", port.name), ("network", port.network), ("direction", direction),
                    ]
                    page.sample(labels, value)
                }
            }
        }
        add("weft_port_limit_bits_per_second", .gauge, "What may pass a limited port, bits.") {
            $0.bitsPerSecond.map { UInt64($0) }
        }
        add("weft_port_limit_packets_per_second", .gauge, "What may pass a limited port, frames.") {
            $0.packetsPerSecond.map { UInt64($0) }
        }
        add(
            "weft_port_limit_drops_total", .counter,
            "Frames dropped because they were more than a port's limit lets pass."
        ) { $0.drops }
    }
}
