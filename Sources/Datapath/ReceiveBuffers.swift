// ReceiveBuffers: a group of buffers that the kernel fills, and how many of them it has.
//
// The kernel takes a group's buffers in turn. With all of them in its hands each read would touch
// the one that was used longest ago, and 256 buffers of 64 KiB are more than any cache holds. So
// it gets only a window of them, those used last first.
//
// A turn touches each byte three times (in, checksum, out), so its bytes should fit the cache of
// one core, while small frames, which take a buffer each, want turns of many. So the window
// follows both: it doubles when a turn uses most of it for few bytes, and halves when a turn
// took more bytes than the cache holds, or after a while of using little.

import Uring

struct ReceiveBuffers: ~Copyable {
    static let smallestWindow = 4
    static let firstWindow = 16
    /// Bytes of a turn that the cache of a core (L2) is taken to hold beside all else.
    static let turnBytes = 256 << 10
    /// Turns over which little must be used before the window shrinks.
    private static let patience = 256

    private var ring: BufferRing
    /// Buffers that the kernel does not have and that hold nothing; the last used is on top.
    private let idle: UnsafeMutablePointer<UInt16>
    private var idleCount: Int
    /// Buffers that the kernel has filled and that this turn's operations may still read from.
    private let spent: UnsafeMutablePointer<UInt16>
    private(set) var spentCount = 0
    /// Bytes in the spent ones.
    private(set) var spentBytes = 0
    /// How many buffers the kernel should have.
    private(set) var window = ReceiveBuffers.firstWindow
    /// How many it has, and which.
    private(set) var lent = 0
    private let isLent: UnsafeMutablePointer<Bool>
    private var grewThisTurn = false
    private var mostUsed = 0
    private var turns = 0

    /// Takes a ring none of whose buffers is published.
    init(_ ring: consuming BufferRing) {
        let count = ring.count
        idle = .allocate(capacity: count)
        spent = .allocate(capacity: count)
        isLent = .allocate(capacity: count)
        isLent.initialize(repeating: false, count: count)
        for id in 0..<count { idle[id] = UInt16(count - 1 - id) }
        idleCount = count
        self.ring = ring
        lend()
    }

    deinit {
        idle.deallocate()
        spent.deallocate()
        isLent.deallocate()
    }

    /// Where a buffer starts.
    @inline(__always)
    func address(of id: UInt16) -> UnsafeMutableRawPointer { ring.address(of: id) }

    /// Bytes that the kernel may fill.
    var length: Int { ring.bufferLength }

    /// The kernel has filled a buffer. False if it did not have it: Linux 6.12 before d8e1dec2f860
    /// may name one twice, and what it holds then is anyone's guess.
    @inline(__always)
    mutating func take(_ id: UInt16, bytes: Int32) -> Bool {
        guard isLent[Int(id)] else { return false }
        isLent[Int(id)] = false
        lent &-= 1
        spent[spentCount] = id
        spentCount &+= 1
        spentBytes &+= Int(max(0, bytes))
        return true
    }

    /// Nothing reads from this turn's buffers any more: they can be filled again.
    mutating func recycle() {
        adapt()
        for i in 0..<spentCount { idle[idleCount &+ i] = spent[i] }
        idleCount &+= spentCount
        spentCount = 0
        spentBytes = 0
        grewThisTurn = false
        lend()
    }

    /// The kernel ran out of buffers: it gets more at once, so that what is prepared next finds
    /// some. Once a turn, however many requests have ended for want of one, and not for bulk, which
    /// is better taken in small turns.
    mutating func grow() {
        guard !grewThisTurn, spentBytes < ReceiveBuffers.turnBytes else { return }
        grewThisTurn = true
        window = min(ring.count, window &* 2)
        lend()
    }

    private mutating func adapt() {
        mostUsed = max(mostUsed, spentCount)
        if spentBytes > 2 &* ReceiveBuffers.turnBytes { return shrink() }
        if spentCount &* 4 > window &* 3 {
            grow()
            mostUsed = 0
            turns = 0
            return
        }
        turns &+= 1
        guard turns >= ReceiveBuffers.patience else { return }
        if mostUsed &* 4 < window { return shrink() }
        mostUsed = 0
        turns = 0
    }

    private mutating func shrink() {
        window = max(ReceiveBuffers.smallestWindow, window / 2)
        mostUsed = 0
        turns = 0
    }

    private mutating func lend() {
        guard lent < window, idleCount > 0 else { return }
        while lent < window, idleCount > 0 {
            idleCount &-= 1
            ring.recycle(idle[idleCount])
            isLent[Int(idle[idleCount])] = true
            lent &+= 1
        }
        ring.publish()
    }
}
