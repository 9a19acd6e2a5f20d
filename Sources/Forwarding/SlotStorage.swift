import Synchronization

/// The memory of an open-addressing table: a header with what finding a slot needs, then slots of
/// equal numbers of 64-bit words, all zero at first.
struct SlotStorage {
    private static let headerBytes = 64
    fileprivate let memory: UnsafeMutableRawPointer

    fileprivate init(memory: UnsafeMutableRawPointer) { self.memory = memory }

    /// - Parameters:
    ///   - capacity: slots, a power of two.
    ///   - seed: drawn at start, so that nobody outside can choose keys that fall on one another.
    init(capacity: Int, wordsPerSlot: Int, seed: UInt64) {
        let bytes = SlotStorage.headerBytes + capacity * wordsPerSlot * 8
        memory = .allocate(byteCount: bytes, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        memory.storeBytes(of: UInt64(capacity - 1), as: UInt64.self)
        memory.storeBytes(of: seed, toByteOffset: 8, as: UInt64.self)
    }

    /// The slots' words.
    @inline(__always)
    var words: UnsafeMutablePointer<Atomic<UInt64>> {
        // SAFETY: `init` made the memory with this layout; Atomic<UInt64> is a UInt64 in it.
        (memory + SlotStorage.headerBytes).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Slots less one.
    @inline(__always)
    var mask: UInt64 { memory.load(as: UInt64.self) }

    @inline(__always)
    var seed: UInt64 { memory.load(fromByteOffset: 8, as: UInt64.self) }

    /// Slots for `count` entries: at most three eighths of them full, so that a table that was
    /// three quarters full doubles.
    static func capacity(for count: Int) -> Int {
        var capacity = 16
        while capacity * 3 < count * 8 { capacity *= 2 }
        return capacity
    }
}

/// A table's storage as its readers find it.
struct PublishedStorage: ~Copyable {
    private let address: Atomic<UnsafeMutableRawPointer>

    init(_ storage: SlotStorage) { address = Atomic(storage.memory) }

    deinit { address.load(ordering: .relaxed).deallocate() }

    /// The current storage. Sequentially consistent: see `Reader.quiescent`.
    @inline(__always)
    var current: SlotStorage {
        SlotStorage(memory: address.load(ordering: .sequentiallyConsistent))
    }

    /// Shows readers another storage; the old one is freed when none of them can hold it any more.
    func replace(with storage: SlotStorage, retiringIn domain: ReclamationDomain) {
        domain.retire(address.exchange(storage.memory, ordering: .sequentiallyConsistent))
    }
}
