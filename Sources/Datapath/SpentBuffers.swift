import Uring

/// Buffers that the kernel has filled and that this turn's operations may still read from.
struct SpentBuffers: ~Copyable {
    private let ids: UnsafeMutablePointer<UInt16>
    private let capacity: Int
    private var count = 0

    /// `capacity` is how many buffers there are.
    init(capacity: Int) {
        self.capacity = capacity
        ids = .allocate(capacity: capacity)
    }

    deinit { ids.deallocate() }

    @inline(__always)
    mutating func add(_ id: UInt16) {
        // A kernel before 6.13 without d8e1dec2f860 may name a buffer twice; it is lent once.
        guard count < capacity else { return }
        ids[count] = id
        count &+= 1
    }

    /// Gives all of them back to the kernel.
    @inline(__always)
    mutating func recycle(into ring: inout BufferRing) {
        guard count > 0 else { return }
        for i in 0..<count { ring.recycle(ids[i]) }
        ring.publish()
        count = 0
    }
}
