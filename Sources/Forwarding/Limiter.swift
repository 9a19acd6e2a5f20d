// Limiter: how much may pass a port in one direction.
//
// Several workers serve a port, and its limit is for the port as a whole. So what they share must
// be small: of each limit one word, the time until which what has passed pays (the theoretical
// arrival time of the generic cell rate algorithm, ITU-T I.371 annex A). A bucket that is refilled
// needs its level and the time of the last refilling, which cannot be changed together without a
// lock; this one is never refilled, because time does it:
//
//                       now                   paidUntil
//     ------------------|--------------------|------------> time
//                       |<- what has passed ->|
//                       |<- burst ------------------->|
//
// Whoever comes while there is burst left passes and moves `paidUntil` on by what it takes at the
// limit's pace, be it more than is left: a superframe of 64 KiB passes a burst of 10 KiB, and those
// after it wait. So the average is exact, and at one moment no more passes than the burst and, of
// each worker, one frame.

import Synchronization

/// A limit at work. Shared by all workers; outlives the topologies that lead to it.
public struct Limiter: ~Copyable {
    /// How time is counted here: sixteen ticks per nanosecond, so that the time of the smallest
    /// frame at 400 Gbit/s is still exact to a percent. A word of them lasts for 36 years.
    static let ticksPerNanosecond: UInt64 = 16

    /// One quantity's limit.
    struct Pace {
        /// Ticks that one byte or frame takes, in 1/65536; 0 = no limit.
        let cost: UInt64
        /// Ticks that may be paid later.
        let burst: Int64

        static let none = Pace(cost: 0, burst: 0)

        /// So many units per second, and so many at once.
        init(perSecond rate: Double, burst: Double) {
            let ticks = 1e9 * Double(Limiter.ticksPerNanosecond) / rate
            cost = UInt64(max(1, (ticks * 65536).rounded()))
            self.burst = Int64(max(1, burst * ticks))
        }

        private init(cost: UInt64, burst: Int64) {
            self.cost = cost
            self.burst = burst
        }
    }

    private let bytes: Pace
    private let frames: Pace
    private let bytesReason: Drop
    private let framesReason: Drop
    private let bytesPaidUntil = Atomic<UInt64>(0)
    private let framesPaidUntil = Atomic<UInt64>(0)

    init(bytes: Pace, frames: Pace, reasons: (bytes: Drop, frames: Drop)) {
        self.bytes = bytes
        self.frames = frames
        bytesReason = reasons.bytes
        framesReason = reasons.frames
    }

    /// Whether so much may not pass now, and why; counts it as passed if it may. A superframe
    /// counts as the bytes and frames that it stands for on the wire.
    /// - Parameter nanoseconds: of a clock that all workers share.
    public borrowing func refuses(bytes count: Int, frames frameCount: Int, nanoseconds: UInt64)
        -> Drop?
    {
        let now = nanoseconds &* Limiter.ticksPerNanosecond
        // Both are asked before either is charged, so that what one refuses does not use up the
        // other. Workers that ask at the same time may all pass: each pays.
        if Limiter.isSpent(bytes, bytesPaidUntil, now) { return bytesReason }
        if Limiter.isSpent(frames, framesPaidUntil, now) { return framesReason }
        Limiter.charge(bytes, bytesPaidUntil, count, now)
        Limiter.charge(frames, framesPaidUntil, frameCount, now)
        return nil
    }

    @inline(__always)
    private static func isSpent(
        _ pace: Pace, _ paidUntil: borrowing Atomic<UInt64>, _ now: UInt64
    ) -> Bool {
        guard pace.cost != 0 else { return false }
        let paid = paidUntil.load(ordering: .relaxed)
        return Int64(bitPattern: paid &- now) >= pace.burst
    }

    @inline(__always)
    private static func charge(
        _ pace: Pace, _ paidUntil: borrowing Atomic<UInt64>, _ count: Int, _ now: UInt64
    ) {
        guard pace.cost != 0 else { return }
        let price = (UInt64(truncatingIfNeeded: count) &* pace.cost &+ 32768) >> 16
        var paid = paidUntil.load(ordering: .relaxed)
        while true {
            // What was not used is worth nothing beyond the burst.
            let start = Int64(bitPattern: paid &- now) > 0 ? paid : now
            let (isDone, current) = paidUntil.weakCompareExchange(
                expected: paid, desired: start &+ price, ordering: .relaxed)
            if isDone { return }
            paid = current
        }
    }
}

extension TopologyDescription {
    /// What may pass a port in one direction.
    package struct Limit: Equatable {
        /// Of inner frames; nil = as much as comes.
        package var bitsPerSecond: UInt64?
        /// Bytes that may pass at once.
        package var burst: UInt64
        /// Nil = as many as come.
        package var framesPerSecond: UInt64?
        /// Frames that may pass at once.
        package var frameBurst: UInt64

        /// From 8 kbit/s and one frame per second on.
        package init(
            bitsPerSecond: UInt64? = nil, burst: UInt64 = 0, framesPerSecond: UInt64? = nil,
            frameBurst: UInt64 = 0
        ) {
            self.bitsPerSecond = bitsPerSecond
            self.burst = burst
            self.framesPerSecond = framesPerSecond
            self.frameBurst = frameBurst
        }

        fileprivate func limiter(_ direction: LimiterTable.Direction) -> Limiter {
            Limiter(
                bytes: bitsPerSecond.map {
                    Limiter.Pace(perSecond: Double($0) / 8, burst: Double(burst))
                } ?? .none,
                frames: framesPerSecond.map {
                    Limiter.Pace(perSecond: Double($0), burst: Double(frameBurst))
                } ?? .none, reasons: direction.reasons)
        }
    }
}

/// The limiters of a topology's ports, by row. A port whose limit stays keeps what it has used
/// over changes of the topology; another limit begins with its whole burst.
struct LimiterTable {
    enum Direction: Int, CaseIterable {
        case fromVM, toVM

        fileprivate var reasons: (bytes: Drop, frames: Drop) {
            switch self {
            case .fromVM: (.overRateFromVM, .overPacketsFromVM)
            case .toVM: (.overRateToVM, .overPacketsToVM)
            }
        }
    }

    private struct Place: Hashable {
        var row: Int
        var direction: Direction
    }

    private struct Entry {
        var limit: TopologyDescription.Limit
        var limiter: UnsafeMutablePointer<Limiter>
    }

    private var entries: [Place: Entry] = [:]

    /// Makes the limiters what a topology wants.
    /// - Returns: memory of those that no newer topology leads to.
    mutating func follow(_ description: TopologyDescription) -> [UnsafeMutableRawPointer] {
        var new: [Place: Entry] = [:]
        for (row, port) in description.ports.enumerated() {
            for direction in Direction.allCases {
                guard let limit = port?.limit(direction) else { continue }
                let place = Place(row: row, direction: direction)
                if let entry = entries[place], entry.limit == limit {
                    new[place] = entry
                } else {
                    new[place] = Entry(limit: limit, limiter: Self.make(limit, direction))
                }
            }
        }
        let gone = entries.filter { new[$0.key]?.limiter != $0.value.limiter }
        entries = new
        return gone.values.map { UnsafeMutableRawPointer($0.limiter) }
    }

    func limiter(_ row: Int, _ direction: Direction) -> UnsafeMutablePointer<Limiter>? {
        entries[Place(row: row, direction: direction)]?.limiter
    }

    /// In a cache line of its own, which workers contend for only where they serve one port.
    private static func make(
        _ limit: TopologyDescription.Limit, _ direction: Direction
    ) -> UnsafeMutablePointer<Limiter> {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
            .bindMemory(to: Limiter.self, capacity: 1)
        memory.initialize(to: limit.limiter(direction))
        return memory
    }

    func deallocate() {
        for entry in entries.values { UnsafeMutableRawPointer(entry.limiter).deallocate() }
    }
}
