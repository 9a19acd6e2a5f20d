import CLinux
import ForwardingBench

/// A host with ten thousand peers.
struct PeerScale {
    let rounds: Int
    private static let count = 10_000

    func measure(_ report: inout ScaleReport) {
        var build: [Double] = []
        var memory: [Double] = []
        var find: [Double] = []
        let lookups = 1_000_000
        for _ in 0..<rounds {
            let trial = PeerTrial(peers: Self.count)
            let before = weft_heap_bytes()
            build.append(TableScale.seconds { trial.build() } * 1000)
            memory.append(Double(weft_heap_bytes() - before) / 1_048_576)
            find.append(
                TableScale.seconds { precondition(trial.find(lookups) == lookups) } * 1e9
                    / Double(lookups))
        }
        let scenario = "peers-\(Self.count)"
        report.add(.simulation, scenario, "topology build", "ms", build, places: 1)
        report.add(.simulation, scenario, "topology memory", "MiB", memory, places: 2)
        report.add(.simulation, scenario, "sender lookup", "ns", find, places: 1)
    }
}
