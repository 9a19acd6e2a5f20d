import Benchmark
import CAllocationCount
import ForwardingBench

/// Blocks taken during a sample. Not divided by the operations of a sample: one is too many.
let allocations = BenchmarkMetric.custom(
    "Allocations", polarity: .prefersSmaller, useScalingFactor: false)
/// The mean of a sample: some operations take less than the library's unit of a nanosecond.
let perOperation = BenchmarkMetric.custom(
    "Picoseconds per operation", polarity: .prefersSmaller, useScalingFactor: false)

/// One benchmark for each workload; a sample is as many operations as take a tenth of a
/// millisecond or more.
let benchmarks: @Sendable () -> Void = {
    for workload in Workload.all {
        Benchmark(
            workload.name,
            configuration: .init(
                metrics: [.wallClock, perOperation, allocations], warmupIterations: 10,
                maxDuration: .seconds(1), maxIterations: 2000,
                thresholds: [
                    .wallClock: .relaxed, perOperation: .relaxed, allocations: .strict,
                ])
        ) { benchmark, run in
            let before = weft_allocation_count()
            let start = ContinuousClock.now
            benchmark.startMeasurement()
            let right = run(workload.operations)
            benchmark.stopMeasurement()
            let taken = ContinuousClock.now - start
            let blocks = weft_allocation_count() - before
            guard right == workload.operations else {
                return benchmark.error("\(workload.operations - right) operations went wrong")
            }
            let picoseconds = Int(taken.components.attoseconds / 1_000_000)
            benchmark.measurement(perOperation, picoseconds / workload.operations)
            benchmark.measurement(allocations, Int(blocks))
        } setup: {
            workload.prepare()
        }
    }
}
