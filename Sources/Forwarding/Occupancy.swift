// How full a worker's queues and buffers are, and how long its turns take: stored beside what it
// counts, and read by others in the same way.

public import Synchronization

/// What a worker stores as it is, where `Total` is what it adds up.
public enum Gauge: Int, CaseIterable, Sendable {
    /// Entries of the submission queue, as a turn ended.
    case submissions
    /// Completions that a turn began with.
    case completions
    /// Sends and writes that have not completed, as a turn ended.
    case operations
    /// The most that the three above have ever been, in their order.
    case submissionsPeak, completionsPeak, operationsPeak
    /// Receive buffers of ports: how many the kernel should have, how many it has, how many it has
    /// filled and are still read from, and the bytes in those.
    case portWindow, portLent, portHeld, portHeldBytes
    /// Those of the underlay.
    case underlayWindow, underlayLent, underlayHeld, underlayHeldBytes
}

/// How long turns take: powers of two, 1 us to 1 s.
public enum TurnTimes {
    /// Turns of at most 2^10 nanoseconds are counted first.
    @usableFromInline static var firstPower: Int { 10 }
    @usableFromInline static var lastPower: Int { 30 }

    /// The longest turn of each bucket but the last, in nanoseconds.
    package static let bounds = (firstPower...lastPower).map { UInt64(1) << UInt64($0) }

    /// Which bucket a turn of this many nanoseconds is counted in.
    @inlinable @inline(__always)
    public static func bucket(_ nanoseconds: UInt64) -> Int {
        // The number of bits of n - 1 is the power of two that n does not exceed.
        let power = UInt64.bitWidth &- (max(1, nanoseconds) &- 1).leadingZeroBitCount
        return min(max(power, firstPower), lastPower &+ 1) &- firstPower
    }
}

extension Counters {
    /// Stores what is now.
    @inlinable @inline(__always)
    public func set(_ gauge: Gauge, _ value: Int) {
        words[Counters.gaugesAt &+ gauge.rawValue]
            .store(UInt64(truncatingIfNeeded: value), ordering: .relaxed)
    }

    /// Stores what is now, and the most that it has been.
    @inlinable @inline(__always)
    public func set(_ gauge: Gauge, _ value: Int, peak: Gauge) {
        set(gauge, value)
        if UInt64(truncatingIfNeeded: value) > read(peak) { set(peak, value) }
    }

    /// A turn has ended.
    @inlinable @inline(__always)
    public func addTurn(nanoseconds: UInt64) {
        add(1, at: Counters.turnTimesAt &+ 1 &+ TurnTimes.bucket(nanoseconds))
        add(Int(truncatingIfNeeded: nanoseconds), at: Counters.turnTimesAt)
    }

    // Reading, by any thread.

    /// What was stored last.
    @inlinable @inline(__always)
    public func read(_ gauge: Gauge) -> UInt64 {
        words[Counters.gaugesAt &+ gauge.rawValue].load(ordering: .relaxed)
    }

    /// Nanoseconds of all turns.
    package var turnNanoseconds: UInt64 {
        words[Counters.turnTimesAt].load(ordering: .relaxed)
    }

    /// Turns of each bucket, the last of those longer than all bounds.
    package var turnCounts: [UInt64] {
        (0...TurnTimes.bounds.count).map {
            words[Counters.turnTimesAt + 1 + $0].load(ordering: .relaxed)
        }
    }
}
