import Glibc
import Lab

/// What is to be measured.
struct Plan: Codable {
    var scenarios: [Scenario]
    var systems: [System]
    var rounds: Int
    /// Seconds of a measurement.
    var seconds: Int
    /// What idle CPUs do meanwhile.
    var idle: IdleMode
    var labName: String
}

/// What was measured.
struct Run: Codable {
    var plan: Plan
    var machine = Machine()
    var measurements: [Measurement] = []
    var failures: [String] = []
}

/// One system's turn in one round of a scenario.
struct Measurement: Codable {
    var scenario: Scenario
    var system: System
    var round: Int
    /// By the names of the scenario's figures.
    var figures: [String: Double]
    /// How much work the usage was for, in the scenario's unit of work.
    var work: Double
    var usage: Usage
}

extension Plan {
    /// Rounds in which the systems take turns, so that what changes on the machine in the course
    /// of minutes meets them all; each turn in a lab of its own, so that nothing is handed on.
    func carryOut(_ progress: (String) -> Void) throws -> Run {
        guard geteuid() == 0 else { throw LabError.notRoot }
        switch idle {
        case .sleep:
            return try takeTurns(progress)
        case .poll:
            let hold = try IdleHold()
            let run = try takeTurns(progress)
            _ = consume hold
            return run
        }
    }

    private func takeTurns(_ progress: (String) -> Void) throws -> Run {
        var run = Run(plan: self)
        progress("\(run.machine), idle CPUs \(idle.rawValue)")
        for scenario in scenarios {
            for round in 1...rounds {
                for system in systems {
                    let turn = "\(scenario.rawValue) round \(round)/\(rounds) \(system.rawValue)"
                    do {
                        let measured = try measure(scenario, system, round: round)
                        run.measurements.append(measured)
                        progress("\(turn): \(measured.summary)")
                    } catch LabError.interrupted {
                        throw LabError.interrupted
                    } catch {
                        // The other turns are still worth having.
                        run.failures.append("\(turn): \(error)")
                        progress("\(turn): FAILED: \(error)")
                    }
                }
            }
        }
        return run
    }

    private func measure(_ scenario: Scenario, _ system: System, round: Int) throws -> Measurement {
        // nic and MTU 1500: what results are quoted on.
        try Lab.with(name: labName, options: LabOptions(mtu: 1500, profile: .nic, wiring: .direct)) { lab in
            let bed = try system.build(in: lab)
            try bed.waitUntilReachable()
            let result =
                switch scenario {
                case .tcp: try bed.measureTCP(seconds: seconds)
                case .packets: try bed.measurePackets(seconds: seconds)
                case .roundTrip: try bed.measureRoundTrip(seconds: seconds)
                }
            return Measurement(
                scenario: scenario, system: system, round: round, figures: result.figures,
                work: result.work, usage: result.usage)
        }
    }
}

/// The machine that the figures are of.
struct Machine: Codable, CustomStringConvertible {
    var cpus = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    var kernel: String = {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }()
    var model: String = {
        let text = (try? readText("/proc/cpuinfo")) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown"
    }()
    #if DEBUG
    var build = "debug: not for quoting"
    #else
    var build = "release"
    #endif

    var description: String {
        "\(cpus) CPUs (\(model)), Linux \(kernel), weft-bench built for \(build)"
    }
}
