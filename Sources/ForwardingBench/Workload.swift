/// A piece of forwarding's work that can be done over and over, to be timed.
public struct Workload: Sendable {
    /// What is done: letters, digits and dashes, for it names files too.
    public let name: String
    /// What one operation handles: a frame, a key, a batch.
    public let unit: String
    /// Bytes that one operation goes through; 0 where they do not matter.
    public let bytes: Int
    /// Operations that take about a tenth of a millisecond: what to put between two readings of
    /// a clock.
    public let operations: Int
    /// Takes the memory, fills the tables, and returns what does a number of operations and tells
    /// how many went as they should: a result that differs from the number means that something
    /// else than the workload was timed.
    public let prepare: @Sendable () -> (_ operations: Int) -> Int

    init(
        _ name: String, unit: String, bytes: Int = 0, operations: Int,
        prepare: @escaping @Sendable () -> (_ operations: Int) -> Int
    ) {
        self.name = name
        self.unit = unit
        self.bytes = bytes
        self.operations = operations
        self.prepare = prepare
    }

    /// Every workload, the smallest first.
    public static let all: [Workload] =
        [parse] + checksums + [flowHash] + lookups + [segment, coalesce] + batches
}
