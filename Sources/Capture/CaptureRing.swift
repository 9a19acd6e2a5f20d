// CaptureRing: packets from one worker on their way to one capture's reader. One producer, one
// consumer, bounded: what finds no room is lost and counted, so that no reader, however slow,
// holds a worker up.
//
//   words   0 tail, bytes ever written (producer)   8 head, bytes ever taken (consumer)
//           16 packets taken up                     17... packets lost, by row
//   data    [record, bytes, padding to 8][record, bytes, padding] ... and round again
//
// Positions only grow; their remainder by the capacity, a power of two, is the place. A record may
// go over the end and on at the start: it is copied in two parts.

import Glibc
import Synchronization

/// What stands before a packet's bytes, and what is told of it.
@frozen
public struct CaptureRecord: Equatable, Sendable {
    /// Nanoseconds since 1970.
    public var time: UInt64
    /// Bytes that are kept.
    public var keptLength: UInt32
    /// Bytes that it had.
    public var length: UInt32
    /// Frames on the wire that it stands for.
    public var frames: UInt32
    /// The port's row, or `underlay`.
    public var row: UInt16
    /// `Drop.rawValue` + 1; 0 = it was not dropped.
    public var reason: UInt8
    public var marks: Marks

    /// More about a packet.
    @frozen
    public struct Marks: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// From Weft to the port's device or to the peer; else the other way.
        public static var outbound: Marks { Marks(rawValue: 1) }
        /// Weft made it: by flooding, or as an answer.
        public static var copy: Marks { Marks(rawValue: 2) }
    }

    /// The row of what is no port.
    public static var underlay: UInt16 { 0xffff }

    public init(
        row: UInt16, marks: Marks, frames: Int = 1, reason: UInt8 = 0, time: UInt64 = 0,
        keptLength: Int = 0, length: Int = 0
    ) {
        self.time = time
        self.keptLength = UInt32(truncatingIfNeeded: keptLength)
        self.length = UInt32(truncatingIfNeeded: length)
        self.frames = UInt32(truncatingIfNeeded: frames)
        self.row = row
        self.reason = reason
        self.marks = marks
    }

    static var size: Int { MemoryLayout<CaptureRecord>.stride }
}

/// The worker's end and the reader's end of a ring. The memory is its owner's to free.
public struct CaptureRing: @unchecked Sendable {
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let data: UnsafeMutableRawPointer
    public let capacity: Int
    /// Rows that losses are counted for, beside the underlay.
    let rows: Int

    private static var lossesAt: Int { 24 }

    /// A ring of `capacity` bytes, a power of two, for ports of `rows` rows. Touches all of it: the
    /// worker is not to wait for pages.
    public init(capacity: Int, rows: Int) {
        precondition(capacity >= 64 && capacity & (capacity - 1) == 0)
        self.capacity = capacity
        self.rows = rows
        let bytes = (Self.lossesAt + rows + 1) * 8
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        // SAFETY: Atomic<UInt64> has the representation of a UInt64.
        words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
        data = .allocate(byteCount: capacity, alignment: 64)
        data.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
    }

    /// Neither end may use it any more.
    public func deallocate() {
        UnsafeMutableRawPointer(words).deallocate()
        data.deallocate()
    }

    // MARK: - The worker's end

    /// Takes up a packet: the first `keptLength` bytes of it. False if there was no room.
    @discardableResult
    public func push(_ record: CaptureRecord, _ packet: PacketPieces) -> Bool {
        let tail = words[0].load(ordering: .relaxed)
        let used = Int(truncatingIfNeeded: tail &- words[8].load(ordering: .acquiring))
        let kept = Int(record.keptLength)
        let size = CaptureRing.size(kept)
        guard size <= capacity &- used else {
            add(1, at: CaptureRing.lossesAt &+ min(Int(record.row), rows))
            return false
        }
        var position = tail
        withUnsafeBytes(of: record) { copy($0.baseAddress!, CaptureRecord.size, to: &position) }
        var left = kept
        var index = 0
        while left > 0 {
            let piece = packet.pieces[index]
            let count = min(left, piece.iov_len)
            if count > 0 { copy(piece.iov_base, count, to: &position) }
            left &-= count
            index &+= 1
        }
        add(1, at: 16)
        words[0].store(tail &+ UInt64(size), ordering: .releasing)
        return true
    }

    private static func size(_ kept: Int) -> Int { (CaptureRecord.size &+ kept &+ 7) & ~7 }

    @inline(__always)
    private func copy(
        _ bytes: UnsafeRawPointer, _ count: Int, to position: inout UInt64
    ) {
        let place = Int(truncatingIfNeeded: position) & (capacity &- 1)
        let first = min(count, capacity &- place)
        (data + place).copyMemory(from: bytes, byteCount: first)
        if first < count { data.copyMemory(from: bytes + first, byteCount: count &- first) }
        position &+= UInt64(count)
    }

    @inline(__always)
    private func add(_ amount: UInt64, at index: Int) {
        words[index].store(
            words[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    // MARK: - The reader's end

    /// The oldest packet that waits; it goes on waiting.
    public func peek() -> CaptureRecord? {
        let head = words[8].load(ordering: .relaxed)
        guard words[0].load(ordering: .acquiring) != head else { return nil }
        var record = CaptureRecord(row: 0, marks: [])
        withUnsafeMutableBytes(of: &record) { read(head, into: $0) }
        return record
    }

    /// Takes the packet that `peek` gave, and appends its bytes.
    public func take(_ record: CaptureRecord, appendingTo bytes: inout [UInt8]) {
        let head = words[8].load(ordering: .relaxed)
        let kept = Int(record.keptLength)
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: kept))
        bytes.withUnsafeMutableBytes {
            read(
                head &+ UInt64(CaptureRecord.size),
                into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
        }
        words[8].store(head &+ UInt64(CaptureRing.size(kept)), ordering: .releasing)
    }

    private func read(_ position: UInt64, into target: UnsafeMutableRawBufferPointer) {
        guard let base = target.baseAddress else { return }
        let place = Int(truncatingIfNeeded: position) & (capacity - 1)
        let first = min(target.count, capacity - place)
        base.copyMemory(from: data + place, byteCount: first)
        guard first < target.count else { return }
        (base + first).copyMemory(from: data, byteCount: target.count - first)
    }

    /// Packets taken up so far. For anyone.
    public var captured: UInt64 { words[16].load(ordering: .relaxed) }

    /// Packets lost so far of a port's row, or of the underlay. For anyone.
    public func lost(row: UInt16) -> UInt64 {
        words[Self.lossesAt + min(Int(row), rows)].load(ordering: .relaxed)
    }

    /// Packets lost so far. For anyone.
    public var lost: UInt64 {
        (0...rows).reduce(0) { $0 &+ words[Self.lossesAt + $1].load(ordering: .relaxed) }
    }
}
