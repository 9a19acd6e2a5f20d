import CLinux
import Forwarding
import Glibc
import Synchronization

/// What a worker reads of the tables and tells their keeper.
final class WorkerTables: Sendable {
    enum Event: Int {
        /// A device refused UDP_SEGMENT: messages are single datagrams from now on.
        case segmentationRefused = 1
        /// The path to a peer took less than it should: measure it again.
        case pathRefused = 2
        /// A read failed because a port's interface is down or gone.
        case portParked = 4
    }

    let reader: Reader
    let learning: LearningQueue
    let counters: Counters
    private let endpoints: EndpointTable
    private let neighbors: NeighborTable
    private let topology: TopologyTable
    /// Wakes the keeper.
    private let keeperEvent: Int32
    private let events = Atomic<Int>(0)
    private let hasCalled = Atomic<Bool>(false)

    init(_ keeper: TableKeeper, counters: Counters, keeperEvent: Int32) {
        (learning, reader) = keeper.addWorker()
        endpoints = keeper.endpoints
        neighbors = keeper.neighbors
        topology = keeper.topology
        self.counters = counters
        self.keeperEvent = keeperEvent
    }

    /// The view for a turn that begins `now`. Addresses of the last turn are let go first.
    func view(_ now: UInt64 = WorkerTables.nanoseconds()) -> ForwardingView {
        reader.quiescent()
        return ForwardingView(
            topology: topology.view, endpoints: endpoints.view, neighbors: neighbors.view,
            counters: counters, learning: learning,
            now: WorkerTables.seconds(of: now))
    }

    func refresh(_ view: inout ForwardingView, _ now: UInt64 = WorkerTables.nanoseconds()) {
        view = self.view(now)
    }

    /// Tells the keeper that there are sightings, once until it answers the call.
    func callKeeperIfNeeded() {
        if !learning.isEmpty { callKeeper() }
    }

    func report(_ event: Event) {
        events.bitwiseOr(event.rawValue, ordering: .releasing)
        callKeeper()
    }

    private func callKeeper() {
        if !hasCalled.exchange(true, ordering: .acquiringAndReleasing) {
            eventfd_write(keeperEvent, 1)
        }
    }

    /// The keeper's end, before it looks: what comes from now on calls again.
    func answerCall() { hasCalled.store(false, ordering: .sequentiallyConsistent) }

    /// Whether an event has happened.
    func has(_ event: Event) -> Bool { events.load(ordering: .acquiring) & event.rawValue != 0 }

    /// Whether an event has happened since it was asked last.
    func take(_ event: Event) -> Bool {
        events.bitwiseAnd(~event.rawValue, ordering: .acquiringAndReleasing).oldValue
            & event.rawValue != 0
    }

    /// The tables' clock: whole seconds, never zero.
    static func seconds() -> UInt32 { seconds(of: nanoseconds()) }

    @inline(__always)
    private static func seconds(of now: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: now / 1_000_000_000) &+ 1
    }

    /// The clock of limiters, turns and spinning; the tables' counts its seconds.
    @inline(__always)
    static func nanoseconds() -> UInt64 { weft_nanoseconds() }
}

/// How a worker works.
struct WorkerSettings: Sendable {
    /// Inner segments are merged into superframes.
    var coalesces: Bool
    /// One request reads frame after frame (Linux 6.7).
    var readsMultishot: Bool
}
