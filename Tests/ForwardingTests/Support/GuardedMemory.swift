import Glibc

/// Memory with a page behind it that nobody may touch: a read or write past the end ends the
/// process at the instruction that did it.
final class GuardedMemory {
    private let base: UnsafeMutableRawPointer
    private let size: Int
    private let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// For at least `capacity` bytes.
    init(capacity: Int) {
        size = (capacity + pageSize - 1) / pageSize * pageSize
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let memory = mmap(nil, size + pageSize, PROT_READ | PROT_WRITE, flags, -1, 0)
        precondition(memory != MAP_FAILED && memory != nil, "no memory: errno \(errno)")
        base = memory!
        precondition(mprotect(base + size, pageSize, PROT_NONE) == 0, "no guard: errno \(errno)")
    }

    deinit { munmap(base, size + pageSize) }

    /// Copies bytes to where they, or `room` bytes from their start if that is more, end at the
    /// guard.
    func place(_ bytes: [UInt8], room: Int = 0) -> UnsafeMutableRawPointer {
        let start = base + size - max(bytes.count, room)
        bytes.withUnsafeBytes { source in
            if let from = source.baseAddress {
                start.copyMemory(from: from, byteCount: source.count)
            }
        }
        return start
    }
}
