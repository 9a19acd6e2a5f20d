import CLinux
import ForwardingBench

/// How fast tables fill and empty, and what they take.
struct TableScale {
    let rounds: Int
    private static let count = 1_000_000

    func measure(_ report: inout ScaleReport) {
        var inserted: [Double] = []
        var longestInsert: [Double] = []
        var learned: [Double] = []
        var expired: [Double] = []
        var longestAge: [Double] = []
        var memory: [Double] = []
        for _ in 0..<rounds {
            let table = TableTrial()
            inserted.append(Double(Self.count) / Self.seconds { table.insert(0..<Self.count) })
            longestInsert.append(Self.longestInsert() * 1000)

            let before = weft_heap_bytes()
            let learner = TableTrial()
            learned.append(Double(Self.count) / Self.seconds { learner.learn(0..<Self.count) })
            memory.append(Double(weft_heap_bytes() - before) / 1_048_576)

            learner.passTime()
            var pieces: [Double] = []
            while learner.count > 0 { pieces.append(Self.seconds { learner.age() }) }
            expired.append(Double(Self.count) / pieces.reduce(0, +))
            longestAge.append((pieces.max() ?? 0) * 1000)
        }
        let scenario = "table-\(Self.count)"
        func add(_ metric: String, _ unit: String, _ values: [Double]) {
            report.add(
                .simulation, scenario, metric, unit, values, places: unit == "1/s" ? 0 : 2)
        }
        add("insert", "1/s", inserted)
        add("longest insert (table grows)", "ms", longestInsert)
        add("learn with address, by queue", "1/s", learned)
        add("expire", "1/s", expired)
        add("longest turn of expiry", "ms", longestAge)
        add("memory, addresses included", "MiB", memory)
    }

    /// Seconds of the slowest insert on the way to the full table.
    private static func longestInsert() -> Double {
        let table = TableTrial()
        return (0..<count).reduce(0) { longest, index in
            max(longest, seconds { table.insert(index..<index + 1) })
        }
    }

    static func seconds(_ body: () -> Void) -> Double {
        let start = monotonicNanoseconds()
        body()
        return Double(monotonicNanoseconds() - start) / 1e9
    }
}
