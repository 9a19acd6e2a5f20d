/// Which of a run's numbered frames arrived: loss, duplicates and reordering, exactly.
package struct SequenceAccount {
    private var seen: [UInt64]
    private let capacity: Int
    private var nextExpected = 0

    /// Numbers that arrived, each counted once.
    package private(set) var unique = 0
    /// Arrivals of a number that had arrived.
    package private(set) var duplicates = 0
    /// Arrivals after one with a larger number (RFC 4737, section 3).
    package private(set) var reordered = 0
    /// Numbers that nobody sent.
    package private(set) var outOfRange = 0

    /// An account of the numbers 0 ..< `capacity`.
    package init(capacity: Int) {
        self.capacity = capacity
        seen = [UInt64](repeating: 0, count: (capacity + 63) / 64)
    }

    /// Takes note of an arrival.
    package mutating func record(_ sequence: UInt32) {
        let sequence = Int(sequence)
        guard sequence < capacity else {
            outOfRange += 1
            return
        }
        let bit: UInt64 = 1 << UInt64(sequence % 64)
        guard seen[sequence / 64] & bit == 0 else {
            duplicates += 1
            return
        }
        seen[sequence / 64] |= bit
        unique += 1
        if sequence < nextExpected {
            reordered += 1
        } else {
            nextExpected = sequence + 1
        }
    }
}
