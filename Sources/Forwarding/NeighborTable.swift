// NeighborTable: (network, IP) -> MAC, for answering ARP and ND at the source. Written by one
// thread, read by all workers; the same scheme as EndpointTable, with slots of four words:
//
//   IP high | IP low | network index + 1 | MAC (48 bits) and flags
//
// IPv4 stands as ::ffff:a.b.c.d. The third word is stored last and never changes in a storage, so
// whoever sees it sees the address beside it.

public import Synchronization
package import Wire

/// A (network, IP).
package struct NeighborKey: Hashable, Sendable {
    package let network: UInt16
    package let address: IPv6Address

    package init(network: UInt16, address: IPAddress) {
        self.network = network
        self.address = address.mapped
    }

    package init(network: UInt16, mapped: IPv6Address) {
        self.network = network
        self.address = mapped
    }
}

/// What a neighbour said of itself: the R flag of its advertisements (RFC 4861 section 4.4). An
/// answer in its name must repeat it, for who was told that a router is none drops its routes.
package enum NeighborRole: UInt8, Sendable {
    case unknown, host, router
}

/// Who has an address.
package struct Neighbor: Equatable, Sendable {
    package var mac: MACAddress
    /// Set by configuration.
    package var isFixed: Bool
    package var role: NeighborRole

    /// The word in the table: MAC in the low 48 bits, then the role, then flags.
    @inline(__always)
    var bits: UInt64 {
        mac.bits | UInt64(role.rawValue) << 48 | NeighborTable.presentBit
            | (isFixed ? NeighborTable.fixedBit : 0)
    }

    package init(mac: MACAddress, isFixed: Bool = false, role: NeighborRole = .unknown) {
        self.mac = mac
        self.isFixed = isFixed
        self.role = role
    }

    /// Nil if nobody has it.
    @inline(__always)
    init?(bits: UInt64) {
        guard bits & NeighborTable.presentBit != 0 else { return nil }
        mac = MACAddress(bits: bits)
        isFixed = bits & NeighborTable.fixedBit != 0
        role = NeighborRole(rawValue: UInt8(truncatingIfNeeded: bits >> 48) & 3) ?? .unknown
    }
}

/// What a worker reads during one turn. Valid until the worker's next quiescent point.
@frozen
public struct NeighborView {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let mask: UInt64
    @usableFromInline let seed: UInt64

    @inline(__always)
    init(_ storage: SlotStorage) {
        words = storage.words
        mask = storage.mask
        seed = storage.seed
    }

    @inline(__always)
    func home(_ high: UInt64, _ low: UInt64, _ network: UInt64) -> UInt64 {
        let first = (low ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15 ^ network << 1)
        let second = (high ^ first.high ^ first.low)
            .multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return (second.high ^ second.low) & mask
    }

    /// Finds a key's slot, or the free one where it would go.
    @inline(__always)
    func slot(_ high: UInt64, _ low: UInt64, _ network: UInt64) -> (slot: Int, found: Bool) {
        var slot = home(high, low, network)
        while true {
            let base = Int(slot &* 4)
            let tag = words[base &+ 2].load(ordering: .acquiring)
            if tag == 0 { return (Int(slot), false) }
            if tag == network, words[base].load(ordering: .relaxed) == high,
                words[base &+ 1].load(ordering: .relaxed) == low
            {
                return (Int(slot), true)
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// The MAC that owns an address in a network, nil if unknown.
    @inline(__always)
    package func lookup(network: UInt16, _ address: IPv6Address) -> MACAddress? {
        neighbor(network: network, address)?.mac
    }

    /// Who owns an address in a network, nil if unknown.
    @inline(__always)
    func neighbor(network: UInt16, _ address: IPv6Address) -> Neighbor? {
        let (slot, found) = slot(address.high, address.low, UInt64(network) &+ 1)
        guard found else { return nil }
        return Neighbor(bits: words[slot &* 4 &+ 3].load(ordering: .acquiring))
    }
}

/// The table itself. Every method but `view` belongs to the one writing thread.
public final class NeighborTable: @unchecked Sendable {
    static let presentBit: UInt64 = 1 << 63
    static let fixedBit: UInt64 = 1 << 62
    private static let wordsPerSlot = 4
    private let published: PublishedStorage
    private let domain: ReclamationDomain
    private let seed: UInt64
    private var capacity: Int
    private var used = 0
    /// Neighbours in the table.
    public private(set) var count = 0

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
    public var view: NeighborView {
        NeighborView(published.current)
    }

    /// Who has an address.
    package func get(_ key: NeighborKey) -> Neighbor? {
        view.neighbor(network: key.network, key.address)
    }

    package func set(_ key: NeighborKey, _ mac: MACAddress, fixed: Bool = false) {
        set(key, Neighbor(mac: mac, isFixed: fixed))
    }

    package func set(_ key: NeighborKey, _ neighbor: Neighbor) {
        let value = neighbor.bits
        let view = view
        let (slot, found) = view.slot(key.address.high, key.address.low, UInt64(key.network) + 1)
        if found {
            let before = view.words[slot * 4 + 3].exchange(value, ordering: .releasing)
            if before == 0 { count += 1 }
            return
        }
        guard (used + 1) * 4 <= capacity * 3 else {
            rebuild()
            return set(key, neighbor)
        }
        Self.fill(view, slot, key, value)
        used += 1
        count += 1
    }

    /// Removes a neighbour; true if it was there.
    @discardableResult
    package func remove(_ key: NeighborKey) -> Bool {
        let view = view
        let (slot, found) = view.slot(key.address.high, key.address.low, UInt64(key.network) + 1)
        guard found, view.words[slot * 4 + 3].exchange(0, ordering: .releasing) != 0 else {
            return false
        }
        count -= 1
        return true
    }

    /// Every neighbour, in no order.
    package func forEach(_ body: (NeighborKey, MACAddress, _ fixed: Bool) -> Void) {
        forEachNeighbor { body($0, $1.mac, $1.isFixed) }
    }

    /// Every neighbour with what it said of itself, in no order.
    package func forEachNeighbor(_ body: (NeighborKey, Neighbor) -> Void) {
        let words = view.words
        for slot in 0..<capacity {
            let tag = words[slot * 4 + 2].load(ordering: .relaxed)
            let value = words[slot * 4 + 3].load(ordering: .relaxed)
            guard tag != 0, let neighbor = Neighbor(bits: value) else { continue }
            let address = IPv6Address(
                high: words[slot * 4].load(ordering: .relaxed),
                low: words[slot * 4 + 1].load(ordering: .relaxed))
            body(
                NeighborKey(network: UInt16(truncatingIfNeeded: tag - 1), mapped: address),
                neighbor)
        }
    }

    private func rebuild() {
        let size = SlotStorage.capacity(for: count)
        let new = SlotStorage(capacity: size, wordsPerSlot: Self.wordsPerSlot, seed: seed)
        let to = NeighborView(new)
        forEachNeighbor { key, neighbor in
            let (slot, _) = to.slot(key.address.high, key.address.low, UInt64(key.network) + 1)
            Self.fill(to, slot, key, neighbor.bits)
        }
        capacity = size
        used = count
        published.replace(with: new, retiringIn: domain)
    }

    /// The value and the address first, the word that readers look for last.
    private static func fill(
        _ view: NeighborView, _ slot: Int, _ key: NeighborKey, _ value: UInt64
    ) {
        let base = slot * 4
        view.words[base].store(key.address.high, ordering: .relaxed)
        view.words[base + 1].store(key.address.low, ordering: .relaxed)
        view.words[base + 3].store(value, ordering: .relaxed)
        view.words[base + 2].store(UInt64(key.network) + 1, ordering: .releasing)
    }
}
