// TurnMemory: what a turn's sends and writes are made of. The kernel reads it until they have
// completed, which is normally within the call that submits them, because none of them ever waits
// (MSG_DONTWAIT, O_NONBLOCK). So it is handed out from front to back and taken back as a whole
// once nothing is in flight.

import Forwarding
import Glibc

/// A send or a write in flight, and what is to be counted when it completes.
struct Operation {
    enum Kind: UInt8 {
        /// A message to the underlay.
        case send
        /// A write to a port.
        case deliver
    }

    var kind: Kind
    /// Frames that Weft made: by flooding, or as a reply.
    var isCopy: Bool
    /// The peer or the port.
    var target: UInt16
    /// Frames that it carries.
    var frames: UInt32
    /// Bytes of those frames.
    var bytes: UInt32
}

/// Bump allocators of one worker.
struct TurnMemory: ~Copyable {
    static let vectorCapacity = 32768
    static let messageCapacity = 4096
    static let operationCapacity = 8192
    static let scratchCapacity = 1 << 20
    /// What carrying out one completion may take at most: a superframe of `segmentLimit` segments
    /// to one peer, or 64 datagrams, plus delivering a full coalescer.
    static let vectorReserve = 16384
    static let messageReserve = 1536
    static let operationReserve = 5120
    static let scratchReserve = 512 << 10
    /// More segments than any real stack makes out of 64 KiB; hostile superframes of more are
    /// dropped.
    static let segmentLimit = 1400

    private let vectors: UnsafeMutablePointer<iovec>
    private let messages: UnsafeMutableRawPointer
    private let operations: UnsafeMutablePointer<Operation>
    private let scratch: UnsafeMutableRawPointer
    private var vectorsUsed = 0
    private var messagesUsed = 0
    private var operationsUsed = 0
    private var scratchUsed = 0
    /// Operations that have not completed.
    private(set) var inFlight = 0

    init() {
        vectors = .allocate(capacity: TurnMemory.vectorCapacity)
        messages = .allocate(
            byteCount: TurnMemory.messageCapacity * OutgoingMessage.stride, alignment: 64)
        operations = .allocate(capacity: TurnMemory.operationCapacity)
        scratch = .allocate(byteCount: TurnMemory.scratchCapacity, alignment: 64)
    }

    deinit {
        vectors.deallocate()
        messages.deallocate()
        operations.deallocate()
        scratch.deallocate()
    }

    /// Whether one more completion can be carried out whatever it is.
    @inline(__always)
    var hasReserve: Bool {
        vectorsUsed &+ TurnMemory.vectorReserve <= TurnMemory.vectorCapacity
            && messagesUsed &+ TurnMemory.messageReserve <= TurnMemory.messageCapacity
            && operationsUsed &+ TurnMemory.operationReserve <= TurnMemory.operationCapacity
            && scratchUsed &+ TurnMemory.scratchReserve <= TurnMemory.scratchCapacity
    }

    /// Takes everything back; nothing may be in flight.
    @inline(__always)
    mutating func reset() {
        vectorsUsed = 0
        messagesUsed = 0
        operationsUsed = 0
        scratchUsed = 0
    }

    @inline(__always)
    mutating func takeVectors(_ count: Int) -> UnsafeMutablePointer<iovec>? {
        guard vectorsUsed &+ count <= TurnMemory.vectorCapacity else { return nil }
        defer { vectorsUsed &+= count }
        return vectors + vectorsUsed
    }

    @inline(__always)
    mutating func takeScratch(_ bytes: Int) -> UnsafeMutableRawPointer? {
        guard scratchUsed &+ bytes <= TurnMemory.scratchCapacity else { return nil }
        defer { scratchUsed &+= (bytes &+ 15) & ~15 }
        return scratch + scratchUsed
    }

    @inline(__always)
    mutating func takeMessage() -> OutgoingMessage? {
        guard messagesUsed < TurnMemory.messageCapacity else { return nil }
        defer { messagesUsed &+= 1 }
        return OutgoingMessage(memory: messages + messagesUsed &* OutgoingMessage.stride)
    }

    /// Notes an operation that is about to be submitted; its tag's index.
    @inline(__always)
    mutating func begin(_ operation: Operation) -> Int? {
        guard operationsUsed < TurnMemory.operationCapacity else { return nil }
        operations[operationsUsed] = operation
        inFlight &+= 1
        defer { operationsUsed &+= 1 }
        return operationsUsed
    }

    /// An operation has completed.
    @inline(__always)
    mutating func end(_ index: Int) -> Operation {
        inFlight &-= 1
        return operations[index]
    }
}
