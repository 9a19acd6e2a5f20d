/// What is measured.
enum Scenario: String, Codable, CaseIterable {
    /// TCP, one stream.
    case tcp = "tcp-1500"
    /// The highest rate of small frames without loss worth mentioning.
    case packets = "pps-64"
    /// Request and response, one at a time.
    case roundTrip = "rr-1500"

    /// A figure of a scenario, for the report.
    struct Figure {
        var name: String
        var places: Int
    }

    /// What the report shows, the most important first.
    var figures: [Figure] {
        switch self {
        case .tcp: [Figure(name: "Gbit/s", places: 2)]
        case .packets: [Figure(name: "kframes/s", places: 1)]
        case .roundTrip:
            [
                Figure(name: "p50 us", places: 1), Figure(name: "p99 us", places: 1),
                Figure(name: "p99.9 us", places: 1),
            ]
        }
    }

    /// What processor time is divided by.
    var unitOfWork: String {
        switch self {
        case .tcp: "Gbit"
        case .packets: "M frames"
        case .roundTrip: "M round trips"
        }
    }
}

/// What a scenario gives.
struct ScenarioResult {
    var figures: [String: Double]
    /// In the scenario's unit.
    var work: Double
    var usage: Usage
}

extension Measurement {
    /// Processor seconds of the whole machine, but for what others took, for a unit of work.
    var cost: Double { work > 0 ? max(0, usage.busy - usage.others) / work : 0 }
    /// Those of the daemons; nil if the system has none.
    var daemonCost: Double? { usage.daemons.map { work > 0 ? $0 / work : 0 } }

    /// A line of progress.
    var summary: String {
        let values = scenario.figures.map {
            "\(decimal(figures[$0.name] ?? 0, places: $0.places)) \($0.name)"
        }
        let daemon = daemonCost.map { ", weftd \(decimal($0, places: 3))" } ?? ""
        let others =
            usage.isNoisy
            ? " [noisy: others \(percent(usage.othersShare)), stolen \(percent(usage.stealShare))]"
            : ""
        return values.joined(separator: ", ")
            + " (CPU s/\(scenario.unitOfWork): \(decimal(cost, places: 3))\(daemon))\(others)"
    }
}
