/// What a run of the benchmark leaves behind; `bench/README.md` documents it as JSON.
///
/// In the file the names are in snake_case (`cpu_s_per_gbit`), and what is nil is left out.
package struct ResultFile: Codable, Equatable {
    /// The version of this format.
    package static let currentSchema = 1

    /// `currentSchema` of the program that wrote it.
    package var schema = Self.currentSchema
    /// When the run began: 2026-01-31T23:59:59Z.
    package var date: String
    /// The revision that was measured, `-dirty` behind it if files were changed; or unknown.
    package var commit: String
    /// What it ran on.
    package var machine: MachineDescription
    /// How it was measured.
    package var method: Method
    /// A row for each scenario, system and metric.
    package var results: [ResultRow] = []
    /// Systems against each other, from pairs of the same round.
    package var ratios: [RatioRow] = []
    /// Systems that could not take part, and why.
    package var skipped: [String] = []
    /// Turns that did not come about, and why.
    package var failures: [String] = []
    /// Every turn.
    package var measurements: [Measurement] = []

    /// How figures came about.
    package struct Method: Codable, Equatable {
        /// Rounds in which the systems took turns.
        package var rounds: Int
        /// Seconds of a measurement.
        package var seconds: Int
        /// What idle CPUs did: poll or sleep.
        package var idle: String

        /// A method.
        package init(rounds: Int, seconds: Int, idle: String) {
            self.rounds = rounds
            self.seconds = seconds
            self.idle = idle
        }
    }

    /// An account of a run.
    package init(
        date: String, commit: String, machine: MachineDescription, method: Method
    ) {
        self.date = date
        self.commit = commit
        self.machine = machine
        self.method = method
    }
}

/// The machine that figures are of.
package struct MachineDescription: Codable, Equatable {
    /// How many CPUs.
    package var cpus: Int
    /// What the CPUs say they are.
    package var cpu: String
    /// The kernel's release.
    package var kernel: String
    /// release, or debug: not for quoting.
    package var build: String
    /// Versions of the packages that take part.
    package var packages: [String: String]

    /// A machine.
    package init(
        cpus: Int, cpu: String, kernel: String, build: String, packages: [String: String]
    ) {
        self.cpus = cpus
        self.cpu = cpu
        self.kernel = kernel
        self.build = build
        self.packages = packages
    }
}

/// A metric of a system in a scenario, over all rounds.
package struct ResultRow: Codable, Equatable {
    /// The scenario's name.
    package var scenario: String
    /// The system's name.
    package var system: String
    /// The metric's name.
    package var metric: String
    /// What it is counted in.
    package var unit: String
    /// Which way is good; nil if systems are not compared by it.
    package var better: Figure.Better?
    /// The middle of the rounds.
    package var median: Double
    /// The least of them.
    package var min: Double
    /// The greatest.
    package var max: Double
    /// How many there are.
    package var rounds: Int
    /// The median of CPU seconds, of the whole machine but for strangers, per gigabit that arrived.
    package var cpuSPerGbit: Double?
    /// The same per million packets on the wire.
    package var cpuSPerMpkt: Double?
    /// The share of those seconds that the system's own processes took.
    package var daemonShare: Double?
    /// The share of them in interrupts and soft interrupts.
    package var softirqShare: Double?
    /// Why the figure is doubtful; empty if it is not.
    package var noise: [String]
}

extension ResultRow {
    /// A figure that is not one of traffic: without a cost, and not compared with other systems.
    package init(
        scenario: String, system: String, metric: String, unit: String, summary: Summary,
        rounds: Int, noise: [String] = []
    ) {
        self.init(
            scenario: scenario, system: system, metric: metric, unit: unit, better: nil,
            median: summary.median, min: summary.min, max: summary.max, rounds: rounds,
            noise: noise)
    }
}

/// A system against another, from pairs of the same round.
package struct RatioRow: Codable, Equatable {
    /// The scenario's name.
    package var scenario: String
    /// A metric's name, or `cpu_s_per_gbit` or `cpu_s_per_mpkt`.
    package var metric: String
    /// Which way is good.
    package var better: Figure.Better
    /// Whose figure is divided.
    package var system: String
    /// By whose.
    package var base: String
    /// The middle of the rounds' ratios.
    package var median: Double
    /// The least of them.
    package var min: Double
    /// The greatest.
    package var max: Double

    /// Whether the rounds do not even agree on which of the two is the better.
    package var isUndecided: Bool { min < 1 && max > 1 }
}
