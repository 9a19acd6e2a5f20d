// EndpointTable: (network, MAC) -> where it is. Written by one thread, read by all workers.
//
// Open addressing with linear probing over slots of two 64-bit words:
//
//   key:    network index + 1 (16 bits) | MAC (48 bits)      0 = never used
//   value:  last seen, seconds (32)     | Location (32)      0 = not there
//
// A key, once written, stays in its slot until the whole table is rebuilt; only its value changes,
// with one store. So a reader that has matched a key can never read a value that belongs to
// another: at worst it reads one that has just been replaced. Removing is storing value 0; such
// slots are dropped when the table is rebuilt.
//
// Growing builds a larger storage, publishes its address, and retires the old one (Reclamation).
// Inserting copies nothing else, and a lookup costs one multiplication and, but for collisions,
// one cache line at any size.

import CLinux
public import Synchronization
public import Wire

/// A (network, MAC) in 64 bits.
@frozen
public struct EndpointKey: Hashable, Sendable {
    public let bits: UInt64

    @inlinable @inline(__always)
    public init(network: UInt16, mac: MACAddress) {
        bits = (UInt64(network) &+ 1) << 48 | mac.bits
    }

    @inlinable @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    @inlinable public var network: UInt16 { UInt16(truncatingIfNeeded: (bits >> 48) &- 1) }
    @inlinable public var mac: MACAddress { MACAddress(bits: bits) }
}

/// What a worker reads during one turn. Valid until the worker's next quiescent point.
@frozen
public struct EndpointView {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let mask: UInt64
    @usableFromInline let seed: UInt64

    @inline(__always)
    init(_ storage: SlotStorage) {
        words = storage.words
        mask = storage.mask
        seed = storage.seed
    }

    /// The first slot to look at: the two halves of a full multiplication folded. The seed is
    /// drawn at start so that a guest cannot choose MACs that fall on one another.
    @inlinable @inline(__always)
    func home(_ key: EndpointKey) -> UInt64 {
        let product = (key.bits ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return (product.high ^ product.low) & mask
    }

    /// Has the CPU fetch where a look-up of the key begins.
    @inline(__always)
    func prefetch(_ key: EndpointKey) {
        weft_prefetch(UnsafeRawPointer(words + Int(home(key) &* 2)))
    }

    /// The value word of a key, 0 if it is not there.
    @inlinable @inline(__always)
    func value(_ key: EndpointKey) -> UInt64 {
        var slot = home(key)
        while true {
            let found = words[Int(slot &* 2)].load(ordering: .acquiring)
            if found == key.bits {
                return words[Int(slot &* 2 &+ 1)].load(ordering: .acquiring)
            }
            if found == 0 { return 0 }
            slot = (slot &+ 1) & mask
        }
    }

    /// Where a MAC of a network is, and when it was last confirmed there (seconds of the writer's
    /// clock); nil if unknown.
    @inlinable @inline(__always)
    public func lookup(_ key: EndpointKey) -> (location: Location, seen: UInt32)? {
        let value = value(key)
        guard value != 0 else { return nil }
        return (
            Location(bits: UInt32(truncatingIfNeeded: value)),
            UInt32(truncatingIfNeeded: value >> 32)
        )
    }
}

/// The table itself. Every method but `view` belongs to the one writing thread.
public final class EndpointTable: @unchecked Sendable {
    private static let wordsPerSlot = 2
    private let published: PublishedStorage
    private let domain: ReclamationDomain
    private let seed: UInt64
    private var capacity: Int
    /// Slots whose key is set, including those with value 0.
    private var used = 0
    /// Endpoints in the table.
    public private(set) var count = 0

    /// `capacity` is rounded up to a power of two; the table grows at three quarters.
    package init(
        domain: ReclamationDomain, capacity: Int = 1024, seed: UInt64 = .random(in: 0 ... .max)
    ) {
        self.domain = domain
        self.seed = seed
        self.capacity = max(16, capacity).nextPowerOfTwo
        published = PublishedStorage(
            SlotStorage(
                capacity: self.capacity, wordsPerSlot: Self.wordsPerSlot, seed: seed))
    }

    /// The current storage, for one turn of a worker.
    @inline(__always)
    public var view: EndpointView {
        EndpointView(published.current)
    }

    /// Sets where an endpoint is. `seen` is in seconds of the writer's clock.
    package func set(_ key: EndpointKey, _ location: Location, seen: UInt32) {
        let value = UInt64(seen) << 32 | UInt64(location.bits)
        let view = view
        var slot = view.home(key)
        while true {
            let found = view.words[Int(slot &* 2)].load(ordering: .relaxed)
            if found == key.bits {
                let before = view.words[Int(slot &* 2 &+ 1)].exchange(value, ordering: .releasing)
                if before == 0 { count += 1 }
                return
            }
            if found == 0 { break }
            slot = (slot &+ 1) & view.mask
        }
        guard (used + 1) * 4 <= capacity * 3 else {
            rebuild()
            return set(key, location, seen: seen)
        }
        // The value first: whoever sees the key sees its value.
        view.words[Int(slot &* 2 &+ 1)].store(value, ordering: .releasing)
        view.words[Int(slot &* 2)].store(key.bits, ordering: .releasing)
        used += 1
        count += 1
    }

    /// Removes an endpoint; true if it was there.
    @discardableResult
    package func remove(_ key: EndpointKey) -> Bool {
        let view = view
        var slot = view.home(key)
        while true {
            let found = view.words[Int(slot &* 2)].load(ordering: .relaxed)
            if found == 0 { return false }
            if found == key.bits {
                let before = view.words[Int(slot &* 2 &+ 1)].exchange(0, ordering: .releasing)
                if before != 0 { count -= 1 }
                return before != 0
            }
            slot = (slot &+ 1) & view.mask
        }
    }

    /// Every endpoint, in no order.
    package func forEach(_ body: (EndpointKey, Location, _ seen: UInt32) -> Void) {
        forEach(inSlots: 0..<capacity, body)
    }

    /// The endpoints of a part of the slots: ageing walks the table piece by piece.
    package func forEach(
        inSlots slots: Range<Int>, _ body: (EndpointKey, Location, _ seen: UInt32) -> Void
    ) {
        let words = view.words
        for slot in slots.clamped(to: 0..<capacity) {
            let key = words[slot * 2].load(ordering: .relaxed)
            let value = words[slot * 2 + 1].load(ordering: .relaxed)
            guard key != 0, value != 0 else { continue }
            body(
                EndpointKey(bits: key), Location(bits: UInt32(truncatingIfNeeded: value)),
                UInt32(truncatingIfNeeded: value >> 32))
        }
    }

    /// Slots, used or not.
    package var slotCount: Int { capacity }

    /// Moves to a storage that is at most three eighths full, twice as large unless there were
    /// removals; slots of removed endpoints go.
    private func rebuild() {
        let size = SlotStorage.capacity(for: count)
        let new = SlotStorage(capacity: size, wordsPerSlot: Self.wordsPerSlot, seed: seed)
        let to = EndpointView(new)
        forEach { key, location, seen in
            var slot = to.home(key)
            while to.words[Int(slot &* 2)].load(ordering: .relaxed) != 0 {
                slot = (slot &+ 1) & to.mask
            }
            let value = UInt64(seen) << 32 | UInt64(location.bits)
            to.words[Int(slot &* 2 &+ 1)].store(value, ordering: .relaxed)
            to.words[Int(slot &* 2)].store(key.bits, ordering: .relaxed)
        }
        capacity = size
        used = count
        published.replace(with: new, retiringIn: domain)
    }
}

extension Int {
    /// The smallest power of two that is not smaller.
    var nextPowerOfTwo: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
