/// A figure that a scenario gives.
package struct Figure: Codable, Equatable {
    /// Which way is good.
    package enum Better: String, Codable {
        case more, less
    }

    /// Its name, unique in its scenario: throughput, p50.
    package var metric: String
    /// What it is counted in: Gbit/s, us.
    package var unit: String
    /// Decimal places for a person to read.
    package var places: Int
    /// Which way is good; nil if systems are not to be compared by it.
    package var better: Better?

    /// A figure.
    package init(_ metric: String, _ unit: String, places: Int, better: Better?) {
        self.metric = metric
        self.unit = unit
        self.places = places
        self.better = better
    }
}

/// Processor seconds, over all CPUs, that went by during a measurement.
package struct Usage: Codable, Equatable {
    /// Seconds of wall clock.
    package var wall: Double
    /// The whole machine: user, system, interrupts, soft interrupts.
    package var busy: Double
    /// The part of it in interrupts and soft interrupts, which have no process.
    package var softirq: Double
    /// The hypervisor ran somebody else while a CPU here had work.
    package var steal: Double
    /// The system's own processes (`weftd`, `ovs-vswitchd`) together; nil if it has none.
    package var daemons: Double?
    /// Processes that are no part of the benchmark.
    package var others: Double
    /// How many CPUs there are.
    package var cpus: Int

    /// A usage.
    package init(
        wall: Double, busy: Double, softirq: Double, steal: Double, daemons: Double?,
        others: Double, cpus: Int
    ) {
        self.wall = wall
        self.busy = busy
        self.softirq = softirq
        self.steal = steal
        self.daemons = daemons
        self.others = others
        self.cpus = cpus
    }

    /// Above this share of the machine, others make a figure doubtful.
    package static let noiseLimit = 0.02

    /// The share of the machine that processes outside the benchmark took.
    package var othersShare: Double { others / (wall * Double(cpus)) }
    /// The share that the hypervisor took for others.
    package var stealShare: Double { steal / (wall * Double(cpus)) }
    /// Whether others, here or beside this virtual machine, took a part that matters.
    package var isNoisy: Bool { othersShare > Self.noiseLimit || stealShare > Self.noiseLimit }
    /// Seconds of the whole machine but for what others took.
    package var own: Double { max(0, busy - others) }
}

/// One system's turn in one round of a scenario.
package struct Measurement: Codable, Equatable {
    /// The scenario's name.
    package var scenario: String
    /// The system's name.
    package var system: String
    /// The round, from 1.
    package var round: Int
    /// By the names of the scenario's metrics, and some more for whoever looks closer.
    package var figures: [String: Double]
    /// Gigabits of payload that arrived during `usage`; nil where that is no measure of the work.
    package var gigabits: Double?
    /// Million packets that crossed the wire between the hosts meanwhile, both directions; nil
    /// where there is none.
    package var megapackets: Double?
    /// What it took.
    package var usage: Usage

    /// A measurement.
    package init(
        scenario: String, system: String, round: Int, figures: [String: Double],
        gigabits: Double?, megapackets: Double?, usage: Usage
    ) {
        self.scenario = scenario
        self.system = system
        self.round = round
        self.figures = figures
        self.gigabits = gigabits
        self.megapackets = megapackets
        self.usage = usage
    }

    /// Processor seconds of the machine for a gigabit.
    package var secondsPerGigabit: Double? { Self.quotient(usage.own, gigabits) }
    /// Processor seconds of the machine for a million packets on the wire.
    package var secondsPerMegapacket: Double? { Self.quotient(usage.own, megapackets) }
    /// The share of them that the system's own processes took.
    package var daemonShare: Double? { usage.daemons.flatMap { Self.quotient($0, usage.own) } }
    /// The share of them in interrupts and soft interrupts.
    package var softirqShare: Double? { Self.quotient(usage.softirq, usage.own) }

    private static func quotient(_ value: Double, _ divisor: Double?) -> Double? {
        guard let divisor, divisor > 0 else { return nil }
        return value / divisor
    }
}
