/// The open items by flow: a set-associative cache of four ways.
///
/// It may forget a flow: then that flow's item is not merged into any more, and its next frame
/// opens a new item, which is behind the old one. So nothing here can change an order.
struct FlowSlots: ~Copyable {
    static let ways = 4

    struct Slot {
        var entry: UnsafeMutablePointer<Coalescer.Entry>?
        var hash: UInt32
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let capacity: Int
    /// How far to shift a 32-bit product right to get a set's number.
    private let shift: UInt32
    private var isEmpty = true

    init(capacity: Int) {
        var sets = 2
        while sets * Self.ways < capacity { sets *= 2 }
        self.capacity = sets * Self.ways
        shift = UInt32(32 - sets.trailingZeroBitCount)
        slots = .allocate(capacity: self.capacity)
        slots.initialize(repeating: Slot(entry: nil, hash: 0), count: self.capacity)
    }

    deinit { slots.deallocate() }

    /// The `ways` slots that a hash may be in. The hash is multiplied (by the golden ratio) since
    /// all flows of one underlay socket may have some of its bits in common: those that chose it.
    @inline(__always)
    func set(_ hash: UInt32) -> UnsafeMutablePointer<Slot> {
        slots + Int((hash &* 0x9e37_79b1) &>> shift) &* Self.ways
    }

    /// Puts an item in a free slot of its set, or in that of the oldest item.
    mutating func insert(_ entry: UnsafeMutablePointer<Coalescer.Entry>, _ hash: UInt32) {
        isEmpty = false
        let set = set(hash)
        var chosen = set
        var oldest = entry
        for slot in set..<(set + Self.ways) {
            guard let other = slot.pointee.entry else {
                chosen = slot
                break
            }
            // Items lie in the order of arrival, and the new one is the last.
            if other < oldest {
                chosen = slot
                oldest = other
            }
        }
        chosen.pointee = Slot(entry: entry, hash: hash)
    }

    /// Puts a flow's new item where its last one is.
    mutating func replace(
        _ old: UnsafeMutablePointer<Coalescer.Entry>,
        by entry: UnsafeMutablePointer<Coalescer.Entry>, _ hash: UInt32
    ) {
        let set = set(hash)
        for way in 0..<Self.ways where set[way].entry == old { set[way].entry = entry }
    }

    mutating func removeAll() {
        if isEmpty { return }
        isEmpty = true
        slots.update(repeating: Slot(entry: nil, hash: 0), count: capacity)
    }
}
