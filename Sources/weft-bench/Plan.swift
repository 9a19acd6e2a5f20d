import BenchSupport
import Glibc
import Lab

/// What is to be measured.
struct Plan {
    var scenarios: [Scenario]
    var systems: [System]
    var rounds: Int
    /// Seconds of a measurement.
    var seconds: Int
    /// What idle CPUs do meanwhile.
    var idle: IdleMode
    var labName: String
}

/// One system's turn in a round of a scenario.
private struct Turn {
    var scenario: Scenario
    var round: Int
    var system: System
}

extension Plan {
    /// Rounds in which the systems take turns, so that what changes on the machine in the course
    /// of minutes meets them all; each turn in a lab of its own, so that nothing is handed on.
    func carryOut(_ progress: (String) -> Void) throws -> ResultFile {
        guard geteuid() == 0 else { throw LabError.notRoot }
        switch idle {
        case .sleep:
            return try takeTurns(progress)
        case .poll:
            let hold = try IdleHold()
            let result = try takeTurns(progress)
            _ = consume hold
            return result
        }
    }

    private func takeTurns(_ progress: (String) -> Void) throws -> ResultFile {
        var file = ResultFile(
            date: currentDate(), commit: currentCommit(), machine: .current(),
            method: .init(rounds: rounds, seconds: seconds, idle: idle.rawValue))
        progress("\(file.machine.summary), idle CPUs \(idle.rawValue), revision \(file.commit)")
        for system in systems {
            guard let obstacle = system.obstacle else { continue }
            file.skipped.append("\(system.rawValue): \(obstacle)")
            progress("SKIPPED \(system.rawValue): \(obstacle)")
        }
        let present = systems.filter { $0.obstacle == nil }
        let turns = self.turns(of: present)
        var measured: [Scenario: [Measurement]] = [:]
        var remaining = Remaining(scenarios: turns.map(\.scenario))
        for turn in turns {
            let start = ContinuousClock.now
            let title = "\(turn.scenario.rawValue) \(turn.round)/\(rounds) \(turn.system.rawValue)"
            do {
                let before = measured[turn.scenario]?.last { $0.system == turn.system.rawValue }
                let measurement = try take(turn, after: before)
                measured[turn.scenario, default: []].append(measurement)
                progress("\(remaining.prefix) \(title): \(measurement.summary(of: turn.scenario))")
            } catch LabError.interrupted {
                throw LabError.interrupted
            } catch {
                // The other turns are still worth having.
                file.failures.append("\(title): \(error)")
                progress("\(remaining.prefix) \(title): FAILED: \(error)")
            }
            remaining.finish(turn.scenario, after: ContinuousClock.now - start)
        }
        for scenario in scenarios {
            file.add(
                measured[scenario] ?? [], scenario: scenario.rawValue, figures: scenario.figures,
                systems: present.map(\.rawValue))
        }
        return file
    }

    private func turns(of systems: [System]) -> [Turn] {
        scenarios.flatMap { scenario in
            (1...rounds).flatMap { round in
                systems.filter(scenario.applies).map {
                    Turn(scenario: scenario, round: round, system: $0)
                }
            }
        }
    }

    private func take(_ turn: Turn, after before: Measurement?) throws -> Measurement {
        let stage = turn.scenario.stage
        // nic: what results are quoted on.
        let options = LabOptions(mtu: stage.mtu, profile: .nic, wiring: stage.wiring)
        return try Lab.with(name: labName, options: options) { lab in
            let bed = try turn.system.build(in: lab, stage: stage)
            try bed.waitUntilReachable()
            let result = try bed.play(turn.scenario, seconds: seconds, after: before)
            return Measurement(
                scenario: turn.scenario.rawValue, system: turn.system.rawValue, round: turn.round,
                figures: result.figures, gigabits: result.gigabits,
                megapackets: result.cost.megapackets, usage: result.cost.usage)
        }
    }
}

extension Bed {
    /// - Parameter before: What the system's turn in the round before gave.
    fileprivate func play(
        _ scenario: Scenario, seconds: Int, after before: Measurement?
    ) throws -> ScenarioResult {
        let rate = before?.figures["rate"].map { $0 * 1000 }
        return switch scenario {
        case .tcp, .tcpJumbo, .local: try measureTCP(seconds: seconds)
        case .tcpFour: try measureTCP(seconds: seconds, streams: 4)
        case .tcpBothWays: try measureTCP(seconds: seconds, bothWays: true)
        case .datagrams: try measureDatagrams(seconds: seconds)
        case .datagramsUSO: try measureDatagramsUSO(seconds: seconds)
        case .packets: try measurePackets(seconds: seconds, hint: rate)
        case .roundTrip: try measureRoundTrip(seconds: seconds)
        case .connections: try measureConnections(seconds: seconds)
        case .flood: try measureFlood(seconds: seconds, hint: rate)
        case .entropy: try measureEntropy()
        }
    }
}

/// How much is left to do, from what turns took so far.
private struct Remaining {
    private let total: Int
    private var counts: [Scenario: Int]
    private var durations: [Scenario: [Duration]] = [:]

    init(scenarios: [Scenario]) {
        total = scenarios.count
        counts = Dictionary(grouping: scenarios, by: \.self).mapValues(\.count)
    }

    mutating func finish(_ scenario: Scenario, after duration: Duration) {
        counts[scenario, default: 1] -= 1
        durations[scenario, default: []].append(duration)
    }

    /// The turn's number, and the time to the end: scenarios not begun count as the mean turn.
    var prefix: String {
        let done = durations.values.flatMap { $0 }
        guard !done.isEmpty else { return "[1/\(total)]" }
        let mean = { (values: [Duration]) in values.reduce(.zero, +) / values.count }
        let left = counts.reduce(Duration.zero) { sum, entry in
            sum + mean(durations[entry.key] ?? done) * entry.value
        }
        let minutes = Int((Double(left.components.seconds) / 60).rounded(.up))
        return "[\(done.count + 1)/\(total), \(minutes) min left]"
    }
}
