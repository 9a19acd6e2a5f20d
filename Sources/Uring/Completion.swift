public import CLiburing
public import CLinux
import Glibc

/// What became of a request: one entry of the completion queue, copied out of it.
@frozen
public struct Completion: Sendable {
    /// What the request was prepared with.
    public let userData: UInt64
    /// What the equivalent system call would give: a count of bytes, or a negative error number.
    public let result: Int32
    /// IORING_CQE_F_* flags.
    public let flags: UInt32

    /// Copies an entry; it may be released (`Ring.advance`) afterwards.
    @inlinable @inline(__always)
    public init(_ entry: UnsafePointer<io_uring_cqe>) {
        userData = entry.pointee.user_data
        result = entry.pointee.res
        flags = entry.pointee.flags
    }

    /// Whether the kernel took a buffer for it: `bufferID` must be recycled, errors included.
    @inlinable
    public var hasBuffer: Bool {
        @inline(__always) get { flags & UInt32(IORING_CQE_F_BUFFER) != 0 }
    }

    /// The buffer in its group; meaningful only with `hasBuffer`.
    @inlinable
    public var bufferID: UInt16 {
        @inline(__always) get { UInt16(truncatingIfNeeded: flags >> 16) }
    }

    /// Whether the request goes on; a multishot request without it has ended.
    @inlinable
    public var more: Bool {
        @inline(__always) get { flags & UInt32(IORING_CQE_F_MORE) != 0 }
    }
}

extension Ring {
    /// Points at the completions that are there, oldest first, without releasing them.
    /// - Parameters:
    ///   - entries: where the pointers go, valid until `advance`.
    ///   - capacity: room in `entries`.
    /// - Returns: how many pointers were stored.
    @inlinable @inline(__always)
    public func peek(
        into entries: UnsafeMutablePointer<UnsafeMutablePointer<io_uring_cqe>?>, capacity: Int
    ) -> Int {
        let count = min(readyCount, capacity)
        let head = ring.pointee.cq.khead.pointee
        let mask = ring.pointee.cq.ring_mask
        let queue: UnsafeMutablePointer<io_uring_cqe> = ring.pointee.cq.cqes
        var index = 0
        while index < count {
            entries[index] = queue + Int((head &+ UInt32(truncatingIfNeeded: index)) & mask)
            index &+= 1
        }
        return count
    }

    /// How many completions can be looked at without a system call.
    @inlinable
    public var readyCount: Int {
        @inline(__always)
        get {
            // Acquire: the entries were written before the tail was moved.
            let tail = weft_load_acquire_u32(ring.pointee.cq.ktail)
            return Int(tail &- ring.pointee.cq.khead.pointee)
        }
    }

    /// The completion `index` places after the oldest; `index` is below `readyCount`.
    @inlinable @inline(__always)
    public func completion(at index: Int) -> Completion {
        let head = ring.pointee.cq.khead.pointee
        let slot = (head &+ UInt32(truncatingIfNeeded: index)) & ring.pointee.cq.ring_mask
        return Completion(ring.pointee.cq.cqes + Int(slot))
    }

    /// Gives the `count` oldest completions' places back to the kernel.
    @inlinable @inline(__always)
    public func advance(_ count: Int) {
        let head: UnsafeMutablePointer<UInt32> = ring.pointee.cq.khead
        // Release: the kernel may overwrite the entries only after they were read.
        weft_store_release_u32(head, head.pointee &+ UInt32(truncatingIfNeeded: count))
    }

    /// Completions that the kernel lost for want of memory since the ring was set up.
    ///
    /// One that merely did not fit waits in the kernel and is not counted.
    @inlinable
    public var overflowCount: UInt32 {
        @inline(__always)
        get { weft_load_relaxed_u32(ring.pointee.cq.koverflow) }
    }
}
