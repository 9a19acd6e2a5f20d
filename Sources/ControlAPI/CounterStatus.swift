/// What passed between Weft and a port or a peer. Frames are inner Ethernet frames as they are on
/// the wire, so a superframe counts as those that it stands for; bytes are theirs, without the
/// tunnel's headers.
public struct TrafficCounters: Codable, Sendable, Equatable {
    /// Frames that Weft received.
    public var rxFrames: UInt64
    /// Bytes that Weft received.
    public var rxBytes: UInt64
    /// Frames that Weft sent.
    public var txFrames: UInt64
    /// Bytes that Weft sent.
    public var txBytes: UInt64
    /// Frames from or for it that were dropped.
    public var drops: UInt64
    /// Those, by reason; without reasons that never were.
    public var dropsByReason: [String: UInt64]

    /// Counters, zero unless given.
    public init(
        rxFrames: UInt64 = 0, rxBytes: UInt64 = 0, txFrames: UInt64 = 0, txBytes: UInt64 = 0,
        drops: UInt64 = 0, dropsByReason: [String: UInt64] = [:]
    ) {
        self.rxFrames = rxFrames
        self.rxBytes = rxBytes
        self.txFrames = txFrames
        self.txBytes = txBytes
        self.drops = drops
        self.dropsByReason = dropsByReason
    }
}

/// What all workers have counted together.
public struct CounterStatus: Codable, Sendable, Equatable {
    /// What was counted besides drops, by name; docs/counters.md says what each is.
    public var totals: [String: UInt64]
    /// The reasons for which something was dropped, the most frequent first.
    public var drops: [DropCount]
    /// Frames and copies dropped by reason, zeros too.
    public var dropsByReason: [String: DropTally]

    /// Takes the counts of all reasons, in any order.
    public init(totals: [String: UInt64], drops all: [DropCount]) {
        self.totals = totals
        drops = all.filter { $0.count > 0 || $0.copies > 0 }.sorted {
            ($0.count, $0.copies, $1.reason) > ($1.count, $1.copies, $0.reason)
        }
        dropsByReason = Dictionary(
            all.map { ($0.reason, DropTally(count: $0.count, copies: $0.copies)) },
            uniquingKeysWith: {
                DropTally(count: $0.count + $1.count, copies: $0.copies + $1.copies)
            })
    }
}

/// How often something was dropped for one reason.
public struct DropCount: Codable, Sendable, Equatable {
    /// The reason's name.
    public var reason: String
    /// What it means.
    public var description: String
    /// Frames that ended.
    public var count: UInt64
    /// Copies that ended, of those that flooding made.
    public var copies: UInt64

    /// A reason and its counts.
    public init(reason: String, description: String, count: UInt64, copies: UInt64 = 0) {
        self.reason = reason
        self.description = description
        self.count = count
        self.copies = copies
    }
}

/// The counts of one reason.
public struct DropTally: Codable, Sendable, Equatable {
    /// Frames that ended.
    public var count: UInt64
    /// Copies that ended, of those that flooding made.
    public var copies: UInt64

    /// These counts.
    public init(count: UInt64, copies: UInt64) {
        self.count = count
        self.copies = copies
    }
}
