// Counters: each worker has its own block, written by it alone with plain stores and read by
// anyone; a reader adds up the workers. Frames are counted as they are on the wire: a superframe
// counts as the frames that it stands for, in and out. What Weft makes itself, copies by flooding
// and answers, is counted apart:
//
//   frames in = delivered + sent + answered + flooded + sum of drops
//   copies    = copies delivered + copies sent + sum of dropped copies

public import Synchronization
import Wire

/// What a worker counts besides drops.
public enum Total: Int, CaseIterable, Sendable {
    /// Frames read from ports.
    case fromPorts
    /// Frames (inner) that came in datagrams of the underlay.
    case fromUnderlay
    /// Frames that reached a port, each of those in a merged superframe counted.
    case delivered
    /// Frames from ports that left in a tunnel.
    case sent
    /// Frames answered on the spot (ARP, ND, packet too big).
    case answered
    /// Frames that were flooded; their copies are counted apart.
    case flooded
    /// Frames that Weft made: by flooding, or as an answer.
    case copies
    /// Copies that reached a port.
    case copiesDelivered
    /// Copies that left in a tunnel.
    case copiesSent
    /// Datagrams sent, after segmentation.
    case datagramsSent
    /// Messages handed to the kernel: each one or a train of datagrams.
    case messagesSent
    /// Messages received from the kernel: each one or a train of datagrams.
    case messagesReceived
    /// Writes to ports.
    case portWrites
    /// Turns of the worker's loop.
    case turns
    /// Times that the worker slept in the kernel.
    case sleeps
    /// Endpoint reports lost because the queue to the table's writer was full.
    case learningOverflows
}

/// What is counted for a port or a peer. Received = from the VM or from the peer.
public enum FlowCounter: Int, CaseIterable, Sendable {
    case receivedFrames, receivedBytes, sentFrames, sentBytes
    /// Frames from it or for it that were dropped.
    case drops
    /// Of those: frames from a port's VM that were more than the port's limits let pass.
    case overLimitFromVM
    /// Of those: frames for a port's VM that were more than the port's limits let pass.
    case overLimitToVM
}

/// One worker's counters: pointers into one block.
@frozen
public struct Counters: @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    public let portCapacity: Int
    public let peerCapacity: Int

    @usableFromInline static var dropsAt: Int { 32 }
    @usableFromInline static var copyDropsAt: Int { 96 }
    @usableFromInline static var portsAt: Int { 160 }
    /// A row of a port or peer fills a cache line.
    @usableFromInline static var row: Int { 8 }
    @usableFromInline var peersAt: Int { Counters.portsAt &+ portCapacity &* Counters.row }

    /// Takes a block for good: workers live as long as the daemon.
    package init(portCapacity: Int, peerCapacity: Int) {
        self.portCapacity = portCapacity
        self.peerCapacity = peerCapacity
        let count = Counters.portsAt + (portCapacity + peerCapacity) * Counters.row
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: count * 8)
        // SAFETY: Atomic<UInt64> has the representation of a UInt64.
        words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    package func deallocate() { UnsafeMutableRawPointer(words).deallocate() }

    /// Only the owning worker adds, so a load and a store do and no locked instruction is needed.
    @inlinable @inline(__always)
    func add(_ amount: Int, at index: Int) {
        let value = words[index].load(ordering: .relaxed)
        words[index].store(value &+ UInt64(truncatingIfNeeded: amount), ordering: .relaxed)
    }

    @inlinable @inline(__always)
    public func add(_ total: Total, _ amount: Int = 1) { add(amount, at: total.rawValue) }

    /// A frame ends here.
    @inlinable @inline(__always)
    public func drop(_ reason: Drop, frames: Int = 1) {
        add(frames, at: Counters.dropsAt &+ Int(reason.rawValue))
    }

    /// A frame that Weft made ends here.
    @inlinable @inline(__always)
    public func dropCopy(_ reason: Drop, frames: Int = 1) {
        add(frames, at: Counters.copyDropsAt &+ Int(reason.rawValue))
    }

    @inlinable @inline(__always)
    public func drop(_ reason: Drop, frames: Int, isCopy: Bool) {
        if isCopy { dropCopy(reason, frames: frames) } else { drop(reason, frames: frames) }
    }

    @inlinable @inline(__always)
    public func addPort(_ port: UInt16, _ counter: FlowCounter, _ amount: Int) {
        add(amount, at: Counters.portsAt &+ Int(port) &* Counters.row &+ counter.rawValue)
    }

    @inlinable @inline(__always)
    public func addPeer(_ peer: UInt16, _ counter: FlowCounter, _ amount: Int) {
        add(amount, at: peersAt &+ Int(peer) &* Counters.row &+ counter.rawValue)
    }

    // Reading, by any thread.

    package func read(_ total: Total) -> UInt64 { words[total.rawValue].load(ordering: .relaxed) }

    package func read(drop reason: Drop) -> UInt64 {
        words[Counters.dropsAt + Int(reason.rawValue)].load(ordering: .relaxed)
    }

    package func read(copyDrop reason: Drop) -> UInt64 {
        words[Counters.copyDropsAt + Int(reason.rawValue)].load(ordering: .relaxed)
    }

    package func read(port: Int, _ counter: FlowCounter) -> UInt64 {
        words[Counters.portsAt + port * Counters.row + counter.rawValue].load(ordering: .relaxed)
    }

    package func read(peer: Int, _ counter: FlowCounter) -> UInt64 {
        words[peersAt + peer * Counters.row + counter.rawValue].load(ordering: .relaxed)
    }
}
