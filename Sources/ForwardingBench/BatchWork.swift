// A worker's turn without its system calls: 256 frames, a thousand endpoints.

extension Workload {
    private static let frames = 256

    static let batches = [egress, ingress, ingressStream]

    private static let egress = Workload(
        "egress-256x64", unit: "batch", bytes: frames * 64, operations: 8
    ) {
        let rig = ForwardingRig(endpoints: 1000)
        let batch = FrameBatch.smallEgress(frames)
        rig.draw(batch)
        return { operations in
            var right = 0
            for _ in 0..<operations where rig.egress(batch) == frames { right &+= 1 }
            return right
        }
    }

    private static let ingress = ingress(64, of: FrameBatch.smallIngress)
    private static let ingressStream = ingress(1514, of: FrameBatch.streamIngress)

    private static func ingress(
        _ size: Int, of make: @escaping @Sendable (Int) -> FrameBatch
    ) -> Workload {
        Workload(
            "ingress-256x\(size)", unit: "batch", bytes: frames * size, operations: 4
        ) {
            let rig = ForwardingRig(endpoints: 1000)
            let batch = make(frames)
            rig.draw(batch)
            return { operations in
                var right = 0
                for _ in 0..<operations where rig.ingress(batch) == frames { right &+= 1 }
                return right
            }
        }
    }
}
