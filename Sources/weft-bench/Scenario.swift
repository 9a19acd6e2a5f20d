import BenchSupport
import Lab

/// What is measured.
enum Scenario: String, Codable, CaseIterable {
    /// TCP, one stream.
    case tcp = "tcp-1500"
    /// TCP, four streams at once.
    case tcpFour = "tcp4-1500"
    /// TCP, one stream, over an underlay of MTU 9001.
    case tcpJumbo = "tcp-9001"
    /// TCP, a stream each way at once.
    case tcpBothWays = "tcp-bidi-1500"
    /// UDP datagrams of 1400 bytes, a system call each.
    case datagrams = "udp-1400"
    /// The same datagrams as segments of larger sends (UDP_SEGMENT).
    case datagramsUSO = "udp-1400-uso"
    /// The highest rate of small frames without loss worth mentioning.
    case packets = "pps-64"
    /// Request and response, one at a time.
    case roundTrip = "rr-1500"
    /// New TCP connections.
    case connections = "crr"
    /// TCP, one stream, between VMs of one host.
    case local
    /// The highest rate of broadcasts to all other hosts without loss worth mentioning.
    case flood
    /// How inner flows spread over outer ones.
    case entropy

    /// Hosts and VMs that a scenario is played on.
    struct Stage {
        var hosts = 2
        var mtu = 1500
        /// A switch only where there are more hosts than a wire has ends.
        var wiring: Wiring { hosts > 2 ? .vpc : .direct }
        /// Whether the VMs, two of them, share the first host; else each host has one.
        var isShared = false
    }

    var stage: Stage {
        switch self {
        case .tcpJumbo: Stage(mtu: 9001)
        case .local: Stage(isShared: true)
        case .flood: Stage(hosts: 4)
        default: Stage()
        }
    }

    /// Whether the system has what is measured. Without overlay there is no local VM, no
    /// broadcast (the VPC drops it) and no outer flow.
    func applies(to system: System) -> Bool {
        switch self {
        case .local, .flood, .entropy: system != .wire
        default: true
        }
    }

    /// What the report shows, the most important first.
    var figures: [Figure] {
        switch self {
        case .tcp, .tcpFour, .tcpJumbo, .tcpBothWays, .local:
            [Figure("throughput", "Gbit/s", places: 2, better: .more)]
        case .datagrams, .datagramsUSO:
            [
                Figure("throughput", "Gbit/s", places: 2, better: .more),
                Figure("loss", "%", places: 1, better: nil),
            ]
        case .packets: [Figure("rate", "kframes/s", places: 1, better: .more)]
        case .roundTrip:
            ["p50", "p99", "p99.9"].map { Figure($0, "us", places: 1, better: .less) }
        case .connections: [Figure("rate", "conn/s", places: 0, better: .more)]
        case .flood: [Figure("copies", "kframes/s", places: 1, better: .more)]
        case .entropy:
            Bed.entropyFlows.flatMap { flows in
                [
                    Figure("largest-share-\(flows)", "%", places: 1, better: nil),
                    Figure("ec2-limit-\(flows)", "Gbit/s", places: 1, better: nil),
                ]
            }
        }
    }
}

/// What a scenario gives.
struct ScenarioResult {
    /// By metric.
    var figures: [String: Double]
    /// Gigabits of payload that arrived; nil where that is no measure of the work.
    var gigabits: Double?
    var cost: Cost
}

/// What a measurement took.
struct Cost {
    var usage: Usage
    /// Million packets on the wire, both directions; nil where there is no wire.
    var megapackets: Double?
}

extension Cost {
    /// What two measurements took together.
    static func + (one: Cost, other: Cost) -> Cost {
        var usage = one.usage
        usage.wall += other.usage.wall
        usage.busy += other.usage.busy
        usage.softirq += other.usage.softirq
        usage.steal += other.usage.steal
        usage.others += other.usage.others
        if let daemons = other.usage.daemons { usage.daemons = (usage.daemons ?? 0) + daemons }
        let megapackets = (one.megapackets ?? 0) + (other.megapackets ?? 0)
        return Cost(usage: usage, megapackets: megapackets)
    }
}
