public import CLiburing
public import CLinux
import Glibc

/// A group of equal buffers that the kernel takes from when data arrives (Linux 5.19).
///
/// The kernel owns a buffer from `publish` until a completion names it; then the caller does,
/// until `recycle`. Recycled buffers reach the kernel with the next `publish`, so that a batch
/// costs one store with release ordering.
///
/// Declare a worker's `Ring` before its buffer rings: requests that still run write into this
/// memory, and a ring ends them when it goes. To drop a group earlier, cancel its requests, take
/// their completions and call `unregister`.
@frozen
public struct BufferRing: ~Copyable {
    /// The buffer group's number, given to the requests that take from it.
    public let group: UInt16
    /// How many buffers; a power of two.
    public let count: Int
    /// Bytes from one buffer to the next.
    public let stride: Int
    /// Bytes of each buffer that the kernel may fill; at most `stride`.
    public let bufferLength: Int
    /// Buffer 0.
    public let base: UnsafeMutableRawPointer

    /// Slots shared with the kernel; the ring's tail lies in the spare field of slot 0.
    @usableFromInline let slots: UnsafeMutablePointer<io_uring_buf>
    @usableFromInline let mask: UInt16
    /// Where the next recycled buffer goes: the published tail plus what awaits publishing.
    @usableFromInline var tail: UInt16

    @usableFromInline let buffers: Mapping
    @usableFromInline let slotMemory: Mapping

    /// Takes memory and registers it with `ring` as a group.
    /// - Parameters:
    ///   - group: unique among the ring's groups.
    ///   - count: a power of two, at most 32768.
    ///   - stride: bytes from one buffer to the next, a multiple of 64. A multiple of 4096 would
    ///     make the heads of all buffers share a few cache sets.
    ///   - bufferLength: bytes the kernel may fill; `nil` is the whole stride.
    ///   - prefault: take the pages now (MAP_POPULATE) and not on first use.
    ///   - hugePages: ask for transparent huge pages; a wish, never an error.
    ///   - published: hand the kernel every buffer now, and not by `recycle` and `publish`.
    /// - Throws: `UringError`: ENOMEM, EINVAL (no provided-buffer rings in this kernel),
    ///   EEXIST (`group` is taken).
    public init(
        ring: borrowing Ring, group: UInt16, count: Int, stride: Int, bufferLength: Int? = nil,
        prefault: Bool = true, hugePages: Bool = true, published: Bool = true
    ) throws(UringError) {
        precondition(count > 0 && count <= 32768 && count & (count - 1) == 0, "count")
        precondition(stride > 0 && stride % 64 == 0, "stride")
        precondition((bufferLength ?? stride) <= stride, "bufferLength")
        // The kernel pins the slots, whose size it takes from `ring_entries`.
        let slotMemory = try Mapping(
            length: count * MemoryLayout<io_uring_buf>.stride, prefault: true, hugePages: false)
        let buffers: Mapping
        do {
            buffers = try Mapping(
                length: count * stride, prefault: prefault, hugePages: hugePages)
        } catch {
            slotMemory.unmap()
            throw error
        }
        var registration = io_uring_buf_reg()
        registration.ring_addr = UInt64(UInt(bitPattern: slotMemory.base))
        registration.ring_entries = UInt32(count)
        registration.bgid = group
        let refusal = io_uring_register_buf_ring(ring.ring, &registration, 0)
        guard refusal == 0 else {
            buffers.unmap()
            slotMemory.unmap()
            throw UringError(call: "io_uring_register(PBUF_RING)", errno: -refusal)
        }
        self.group = group
        self.count = count
        self.stride = stride
        self.bufferLength = bufferLength ?? stride
        self.buffers = buffers
        self.slotMemory = slotMemory
        base = buffers.base
        slots = slotMemory.base.bindMemory(to: io_uring_buf.self, capacity: count)
        mask = UInt16(count - 1)
        tail = 0
        guard published else { return }
        for id in 0..<count { recycle(UInt16(id)) }
        publish()
    }

    deinit {
        buffers.unmap()
        slotMemory.unmap()
    }

    /// Takes the group back from `ring` and frees its memory. No request may still use it.
    public consuming func unregister(from ring: borrowing Ring) {
        _ = io_uring_unregister_buf_ring(ring.ring, Int32(group))
    }

    /// Where buffer `id` starts; `id` must have come from a completion of this group.
    @inlinable @inline(__always)
    public func address(of id: UInt16) -> UnsafeMutableRawPointer {
        base + Int(id) &* stride
    }

    /// Puts buffer `id` back, to be seen by the kernel after the next `publish`.
    @inlinable @inline(__always)
    public mutating func recycle(_ id: UInt16) {
        // Field by field: the tail lies in the fourth field of slot 0.
        let slot = slots + Int(tail & mask)
        slot.pointee.addr = UInt64(UInt(bitPattern: address(of: id)))
        slot.pointee.len = UInt32(truncatingIfNeeded: bufferLength)
        slot.pointee.bid = id
        tail &+= 1
    }

    /// Shows the kernel every buffer recycled so far.
    @inlinable @inline(__always)
    public func publish() {
        // SAFETY: struct io_uring_buf_ring lays `tail` over bytes 14 and 15 of slot 0.
        let tailField = UnsafeMutableRawPointer(slots) + 14
        weft_store_release_u16(tailField.assumingMemoryBound(to: UInt16.self), tail)
    }
}

/// Anonymous memory that is given back by hand.
@usableFromInline
struct Mapping {
    let base: UnsafeMutableRawPointer
    private let start: UnsafeMutableRawPointer
    private let length: Int

    private static var hugePage: Int { 2 << 20 }

    /// Maps `length` bytes; with `hugePages` on a boundary that lets the kernel use them.
    init(length: Int, prefault: Bool, hugePages: Bool) throws(UringError) {
        let slack = hugePages && length >= Self.hugePage ? Self.hugePage : 0
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let mapped = mmap(nil, length + slack, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let mapped, mapped != MAP_FAILED else {
            throw UringError(call: "mmap of \(length >> 10) KiB for buffers", errno: errno)
        }
        start = mapped
        self.length = length + slack
        base = slack == 0 ? mapped : mapped.alignedUp(toMultipleOf: Self.hugePage)
        if slack != 0 { _ = madvise(base, length, MADV_HUGEPAGE) }
        // Prefaulting comes after the wish for huge pages, or it would take small ones.
        if prefault { populate(length) }
    }

    /// Touches every page of the part in use.
    private func populate(_ length: Int) {
        let page = sysconf(Int32(_SC_PAGESIZE))
        for offset in Swift.stride(from: 0, to: length, by: page) {
            base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
        }
    }

    func unmap() {
        munmap(start, length)
    }
}
