import ForwardingBench

/// What a frame costs to forward, by how many endpoints there are.
struct ForwardingScale {
    /// Rounds in which the sizes take turns.
    let rounds: Int
    private static let sizes = [10, 1_000, 100_000, 1_000_000]
    private static let framesPerBatch = 256
    private static let batches = 400

    func measure(_ report: inout ScaleReport) {
        let rigs = Self.sizes.map(ForwardingRig.init(endpoints:))
        let egress = FrameBatch.smallEgress(Self.framesPerBatch)
        let ingress = FrameBatch.smallIngress(Self.framesPerBatch)
        var costs = Self.sizes.map { _ in [[Double]](repeating: [], count: 3) }
        // The first round warms up.
        for round in 0...rounds {
            for (index, rig) in rigs.enumerated() {
                // The other sizes' tables have taken its place in the caches.
                _ = Self.time(rig, egress) { rig.decide($0) }
                let taken = [
                    Self.time(rig, egress) { rig.decide($0) },
                    Self.time(rig, egress) { rig.egress($0) },
                    Self.time(rig, ingress) { rig.ingress($0) },
                ]
                guard round > 0 else { continue }
                for (metric, value) in taken.enumerated() { costs[index][metric].append(value) }
            }
        }
        let metrics = ["Egress.decide", "egress without I/O", "ingress without I/O"]
        for (index, size) in Self.sizes.enumerated() {
            for (metric, name) in metrics.enumerated() {
                report.add(
                    .simulation, "forwarding-\(size)", name, "ns/frame", costs[index][metric],
                    places: 1)
            }
        }
        for (metric, name) in metrics.enumerated() {
            report.add(
                .simulation, "forwarding-1000000", "\(name), to 1000", "ratio",
                zip(costs[3][metric], costs[1][metric]).map { $0 / $1 }, places: 2)
        }
    }

    /// Nanoseconds of a frame; each batch is addressed anew, which is not timed.
    private static func time(
        _ rig: ForwardingRig, _ batch: borrowing FrameBatch,
        _ body: (borrowing FrameBatch) -> Int
    ) -> Double {
        var nanoseconds: UInt64 = 0
        for _ in 0..<batches {
            rig.draw(batch)
            let start = monotonicNanoseconds()
            let forwarded = body(batch)
            nanoseconds += monotonicNanoseconds() - start
            precondition(forwarded == framesPerBatch, "a known unicast frame went astray")
        }
        return Double(nanoseconds) / Double(batches * framesPerBatch)
    }
}
