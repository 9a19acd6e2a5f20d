import CAllocationCount
import ForwardingBench
import FoundationEssentials
import Testing

@Suite("Forwarding in steady state")
struct WorkloadTests {
    #if DEBUG
    private static let isOptimized = false
    #else
    private static let isOptimized = true
    #endif

    /// Allocations of this thread while `body` runs.
    private func allocations(_ body: () -> Void) -> UInt64 {
        let before = weft_allocation_count()
        body()
        return weft_allocation_count() - before
    }

    @Test("an allocation is counted")
    func counts() {
        var kept: [[UInt8]] = []
        let counted = allocations { kept = (0..<10).map { [UInt8](repeating: 0, count: 64 + $0) } }
        #expect(kept.count == 10)
        #expect(counted >= 10)
    }

    @Test("it goes as it should, again and again", arguments: Workload.all.map(\.name))
    func goesRight(_ name: String) throws {
        let workload = try #require(Workload.all.first { $0.name == name })
        let run = workload.prepare()
        for _ in 0..<3 { #expect(run(workload.operations) == workload.operations) }
    }

    @Test(
        "it allocates nothing",
        .enabled(if: isOptimized, "without optimization closures are on the heap"),
        arguments: Workload.all.map(\.name))
    func allocatesNothing(_ name: String) throws {
        let workload = try #require(Workload.all.first { $0.name == name })
        let run = workload.prepare()
        // The first time, what is made once is made.
        var right = run(1)
        #expect(allocations { right += run(16) } == 0)
        #expect(right == 17)
    }

    /// A workload without a threshold would be measured and never fail.
    @Test("its benchmark may allocate nothing", arguments: Workload.all.map(\.name))
    func hasThreshold(_ name: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "bench/micro/Thresholds/Micro.\(name).p90.json")
        let thresholds = try JSONDecoder().decode(
            [String: Int].self, from: Data(contentsOf: file))
        #expect(thresholds == ["Allocations": 0])
    }
}
