/// How full one of a worker's queues is.
public struct QueueStatus: Codable, Sendable, Equatable {
    /// Entries in it as the worker's last turn ended, or before it slept.
    public var used: UInt64
    /// The most that it has had in it.
    public var peak: UInt64
    /// Entries that it has room for.
    public var capacity: Int

    /// A queue of this much room.
    public init(used: UInt64, peak: UInt64, capacity: Int) {
        self.used = used
        self.peak = peak
        self.capacity = capacity
    }
}

/// A group of a worker's receive buffers.
public struct ReceiveBufferStatus: Codable, Sendable, Equatable {
    /// How many the kernel should have.
    public var window: UInt64
    /// How many it has, to fill.
    public var lent: UInt64
    /// How many it has filled that are still read from.
    public var held: UInt64
    /// Bytes in those.
    public var heldBytes: UInt64
    /// How many there are.
    public var capacity: Int

    /// A group of this many buffers.
    public init(window: UInt64, lent: UInt64, held: UInt64, heldBytes: UInt64, capacity: Int) {
        self.window = window
        self.lent = lent
        self.held = held
        self.heldBytes = heldBytes
        self.capacity = capacity
    }
}

/// How long the turns of a worker's loop took: from completions that were fetched until those that
/// they lead to are submitted, without idling.
public struct TurnStatus: Codable, Sendable, Equatable {
    /// The longest turn of each bucket but the last, in nanoseconds, rising.
    public var bounds: [UInt64]
    /// Turns of each bucket; one more than `bounds`, of those that were longer.
    public var counts: [UInt64]
    /// All turns together, in nanoseconds.
    public var nanoseconds: UInt64

    /// Turns, counted by their length.
    public init(bounds: [UInt64], counts: [UInt64], nanoseconds: UInt64) {
        self.bounds = bounds
        self.counts = counts
        self.nanoseconds = nanoseconds
    }
}

/// How full a worker's queues and buffers are, and how long its turns took.
public struct WorkerLoad: Codable, Sendable, Equatable {
    /// By name: `submission` and `completion` of its io_uring, `transmit`: sends and writes that
    /// have not completed.
    public var queues: [String: QueueStatus]
    /// By name: `ports`, `underlay`.
    public var receiveBuffers: [String: ReceiveBufferStatus]
    /// Its turns.
    public var turns: TurnStatus

    /// A load, nothing unless given.
    public init(
        queues: [String: QueueStatus] = [:], receiveBuffers: [String: ReceiveBufferStatus] = [:],
        turns: TurnStatus = TurnStatus(bounds: [], counts: [0], nanoseconds: 0)
    ) {
        self.queues = queues
        self.receiveBuffers = receiveBuffers
        self.turns = turns
    }
}

extension Prometheus {
    static func addLoads(_ workers: [WorkerStatus], to page: inout MetricsPage) {
        let queues: [(String, String, (QueueStatus) -> UInt64)] = [
            ("weft_worker_queue_entries", "Entries of a worker's queue in use.", \.used),
            ("weft_worker_queue_peak_entries", "The most that they have been.", \.peak),
            (
                "weft_worker_queue_capacity_entries", "Entries that a worker's queue has room for.",
                { UInt64($0.capacity) }
            ),
        ]
        for (name, help, value) in queues {
            page.metric(name, .gauge, help)
            page.samples(of: workers, "queue", \.load.queues, value)
        }
        let buffers: [(String, String, (ReceiveBufferStatus) -> UInt64)] = [
            (
                "weft_worker_receive_window_buffers",
                "Receive buffers that the kernel should have, to fill.", \.window
            ),
            (
                "weft_worker_receive_lent_buffers", "Receive buffers that the kernel has, to fill.",
                \.lent
            ),
            (
                "weft_worker_receive_held_buffers",
                "Receive buffers that are filled and still read from.", \.held
            ),
            (
                "weft_worker_receive_held_bytes",
                "Bytes in receive buffers that are filled and still read from.", \.heldBytes
            ),
        ]
        for (name, help, value) in buffers {
            page.metric(name, .gauge, help)
            page.samples(of: workers, "group", \.load.receiveBuffers, value)
        }
        page.metric(
            "weft_worker_turn_seconds", .histogram,
            "Time of a turn of a worker's loop, without idling.")
        for worker in workers {
            let turns = worker.load.turns
            page.histogram(
                [("worker", String(worker.index))],
                bounds: turns.bounds.map { Double($0) / 1e9 }, counts: turns.counts,
                sum: Double(turns.nanoseconds) / 1e9)
        }
    }
}

extension MetricsPage {
    fileprivate mutating func samples<Item>(
        of workers: [WorkerStatus], _ label: String, _ items: (WorkerStatus) -> [String: Item],
        _ value: (Item) -> UInt64
    ) {
        for worker in workers {
            for (name, item) in items(worker).sorted(by: { $0.key < $1.key }) {
                sample([("worker", String(worker.index)), (label, name)], value(item))
            }
        }
    }
}
