import BenchSupport
import Glibc

extension Usage {
    /// Runs `body`, and says what it took.
    static func measure<Result>(
        daemons: [Int32], _ body: () throws -> Result
    ) throws -> (result: Result, usage: Usage) {
        let before = try Moment()
        let result = try body()
        let after = try Moment()
        let seconds = { (ticks: UInt64, earlier: UInt64) in
            ticks > earlier ? Double(ticks - earlier) / Double(sysconf(Int32(_SC_CLK_TCK))) : 0
        }
        let ofDaemons = daemons.map {
            seconds(after.processes.ticks(of: $0), before.processes.ticks(of: $0))
        }
        return (
            result,
            Usage(
                wall: Double(after.nanoseconds - before.nanoseconds) / 1e9,
                busy: seconds(after.processors.busy, before.processors.busy),
                softirq: seconds(after.processors.interrupts, before.processors.interrupts),
                steal: seconds(after.processors.steal, before.processors.steal),
                daemons: daemons.isEmpty ? nil : ofDaemons.reduce(0, +),
                others: seconds(
                    after.processes.ticksOfOthers(than: getpid()),
                    before.processes.ticksOfOthers(than: getpid())),
                cpus: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        )
    }
}

/// What processors and processes had done at some time.
private struct Moment {
    let nanoseconds: UInt64
    let processors: ProcessorTime
    let processes: ProcessTable

    init() throws {
        guard let processors = ProcessorTime(stat: try readText("/proc/stat")) else {
            throw BenchError("/proc/stat is not as proc(5) describes it")
        }
        self.processors = processors
        processes = ProcessTable(
            Self.pids().compactMap { pid in
                // A process that has ended since the listing is no error.
                (try? readText("/proc/\(pid)/stat")).flatMap(ProcessTime.init(stat:))
            })
        nanoseconds = monotonicNanoseconds()
    }

    private static func pids() -> [Int32] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var pids: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name) { pids.append(pid) }
        }
        return pids
    }
}
