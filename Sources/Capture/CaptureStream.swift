/// What one capture's workers took up, as a pcapng stream: from rings to bytes.
///
/// Packets of several workers come in the order of their times. Since a worker may stamp a packet a
/// moment before it shows it, what is younger than `patience` waits for the next call.
public struct CaptureStream: Sendable {
    /// What the stream tells of an interface.
    public struct Interface: Sendable, Equatable {
        public var name: String
        public var description: String

        public init(name: String, description: String) {
            self.name = name
            self.description = description
        }
    }

    /// Nanoseconds that a packet waits for older ones of other workers.
    static let patience: UInt64 = 1_000_000
    /// Bytes of a piece, roughly: whoever does not read it has no more than this waiting.
    public static let pieceSize = 256 << 10

    private let rings: [CaptureRing]
    private let snapLength: Int
    private let limit: UInt64?
    /// An interface by its row, as it is called now.
    private let interface: @Sendable (UInt16) -> Interface
    /// The words for a dropped packet, by `CaptureRecord.reason` less one.
    private let explanation: @Sendable (UInt8) -> String
    private var numbers: [UInt16: (number: UInt32, interface: Interface)] = [:]
    /// Packets of each numbered interface that the stream has had.
    private var counts: [UInt64] = []
    private var encoder = PcapngEncoder()
    /// Packets that the stream has had.
    public private(set) var count: UInt64 = 0

    /// A stream that begins. Readers want an interface before they start: that of row `first` is
    /// described ahead of its packets.
    /// - Parameter limit: packets after which it `isComplete`.
    public init(
        _ rings: [CaptureRing], application: String, snapLength: Int, limit: Int?, first: UInt16,
        interface: @escaping @Sendable (UInt16) -> Interface,
        explanation: @escaping @Sendable (UInt8) -> String
    ) {
        self.rings = rings
        self.snapLength = snapLength
        self.limit = limit.map { UInt64($0) }
        self.interface = interface
        self.explanation = explanation
        encoder.section(application: application)
        _ = number(of: first)
    }

    /// Whether it has had as many packets as were asked for.
    public var isComplete: Bool { limit.map { count >= $0 } ?? false }

    /// Whether something waits in a ring, however young.
    public var isPending: Bool { rings.contains { $0.peek() != nil } }

    /// The next blocks, about `pieceSize` of them; empty if there is nothing.
    public mutating func next(now: UInt64) -> [UInt8] {
        let horizon = now &- Self.patience
        while encoder.bytes.count < Self.pieceSize, !isComplete, let oldest = oldest() {
            guard oldest.record.time <= horizon else { break }
            take(oldest.record, from: oldest.ring)
        }
        return encoder.take()
    }

    private func oldest() -> (record: CaptureRecord, ring: CaptureRing)? {
        var oldest: (record: CaptureRecord, ring: CaptureRing)?
        for ring in rings {
            guard let record = ring.peek() else { continue }
            if oldest.map({ record.time < $0.record.time }) ?? true { oldest = (record, ring) }
        }
        return oldest
    }

    private mutating func take(_ record: CaptureRecord, from ring: CaptureRing) {
        let number = number(of: record.row)
        encoder.packet(record, interface: number, comment: comment(record)) { bytes in
            ring.take(record, appendingTo: &bytes)
        }
        counts[Int(number)] += 1
        count += 1
    }

    private func comment(_ record: CaptureRecord) -> String? {
        guard record.reason > 0 else { return nil }
        var text = explanation(record.reason - 1)
        if record.frames > 1 { text += " (\(record.frames) frames)" }
        if record.marks.contains(.copy) { text += " (a copy)" }
        return text
    }

    /// The number of an interface, which is described first if the stream does not know it, or
    /// knows its row as that of another.
    private mutating func number(of row: UInt16) -> UInt32 {
        let current = interface(row)
        if let known = numbers[row], known.interface == current { return known.number }
        let number = UInt32(counts.count)
        numbers[row] = (number, current)
        counts.append(0)
        encoder.interface(
            name: current.name, description: current.description, snapLength: UInt32(snapLength))
        return number
    }

    /// Statistics of all interfaces: blocks that may stand anywhere, and do at the end.
    public mutating func statistics(now: UInt64) -> [UInt8] {
        describeLosers()
        for (row, known) in numbers.sorted(by: { $0.value.number < $1.value.number }) {
            let lost = rings.reduce(0) { $0 &+ $1.lost(row: row) }
            encoder.statistics(
                interface: known.number, time: now, received: counts[Int(known.number)] &+ lost,
                lost: lost)
        }
        return encoder.take()
    }

    /// Interfaces of which nothing but losses is known.
    private mutating func describeLosers() {
        for row in rings.flatMap(\.losers) where numbers[row] == nil { _ = number(of: row) }
    }
}

extension CaptureRing {
    /// The rows that have lost packets.
    fileprivate var losers: [UInt16] {
        (lost(row: CaptureRecord.underlay) > 0 ? [CaptureRecord.underlay] : [])
            + (0..<UInt16(rows)).filter { lost(row: $0) > 0 }
    }
}
