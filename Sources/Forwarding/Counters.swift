// Counters: each worker has its own block, written by it alone with plain stores and read by
// anyone; a reader adds up the workers. Frames are counted as they are on the wire: a superframe
// counts as the frames that it stands for, in and out. What Weft makes itself, copies by flooding
// and answers, is counted apart:
//
//   frames in = delivered + sent + answered + flooded + sum of drops
//   copies    = copies delivered + copies sent + sum of dropped copies

import Glibc
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
///
/// Of each port, peer and network it has a row of reasons, 512 bytes, which is touched only when
/// one of its frames is dropped: what was never dropped for takes address space and no memory.
@frozen
public struct Counters: @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let block: UnsafeMutableRawPointer
    public let portCapacity: Int
    public let peerCapacity: Int
    /// Networks at or above this row have no reasons of their own.
    public let networkCapacity: Int

    @usableFromInline static var dropsAt: Int { 32 }
    @usableFromInline static var copyDropsAt: Int { 96 }
    @usableFromInline static var gaugesAt: Int { 160 }
    @usableFromInline static var turnTimesAt: Int { 192 }
    @usableFromInline static var portsAt: Int { 224 }
    /// A row of a port or peer fills a cache line.
    @usableFromInline static var row: Int { 8 }
    @usableFromInline var peersAt: Int { Counters.portsAt &+ portCapacity &* Counters.row }
    /// A row of reasons, as long as `dropsAt` and `copyDropsAt` have room for.
    @usableFromInline static var reasonRow: Int { 64 }
    @usableFromInline var portReasonsAt: Int { peersAt &+ peerCapacity &* Counters.row }
    @usableFromInline var peerReasonsAt: Int {
        portReasonsAt &+ portCapacity &* Counters.reasonRow
    }
    @usableFromInline var networkReasonsAt: Int {
        peerReasonsAt &+ peerCapacity &* Counters.reasonRow
    }

    /// Takes a block for good: workers live as long as the daemon.
    package init(portCapacity: Int, peerCapacity: Int, networkCapacity: Int = 0) {
        precondition(Drop.count <= Counters.reasonRow)
        self.portCapacity = portCapacity
        self.peerCapacity = peerCapacity
        self.networkCapacity = networkCapacity
        let rows = portCapacity + peerCapacity
        let count =
            Counters.portsAt + rows * Counters.row
            + (rows + networkCapacity) * Counters.reasonRow
        // calloc takes large blocks as pages of zeros, which cost nothing until they are written.
        guard let block = calloc(count + 8, 8) else { preconditionFailure("no memory to count in") }
        self.block = block
        // SAFETY: Atomic<UInt64> has the representation of a UInt64.
        words = block.alignedUp(toMultipleOf: 64).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    package func deallocate() { free(block) }

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

    /// Frames end here that came from a port or were for it, and so were of its network.
    @inlinable @inline(__always)
    public func drop(
        _ reason: Drop, frames: Int, isCopy: Bool = false, port: UInt16, network: UInt16
    ) {
        drop(reason, frames: frames, isCopy: isCopy)
        addPort(port, .drops, frames)
        add(frames, to: reason, of: Int(port), at: portReasonsAt)
        addNetwork(network, reason, frames)
    }

    /// Frames end here that came from a peer or were for it; of a network, if that is known.
    @inlinable @inline(__always)
    public func drop(
        _ reason: Drop, frames: Int, isCopy: Bool = false, peer: UInt16, network: UInt16?
    ) {
        drop(reason, frames: frames, isCopy: isCopy)
        addPeer(peer, .drops, frames)
        add(frames, to: reason, of: Int(peer), at: peerReasonsAt)
        if let network { addNetwork(network, reason, frames) }
    }

    @inlinable @inline(__always)
    func addNetwork(_ network: UInt16, _ reason: Drop, _ frames: Int) {
        guard Int(network) < networkCapacity else { return }
        add(frames, to: reason, of: Int(network), at: networkReasonsAt)
    }

    @inlinable @inline(__always)
    func add(_ frames: Int, to reason: Drop, of row: Int, at start: Int) {
        add(frames, at: start &+ row &* Counters.reasonRow &+ Int(reason.rawValue))
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

    /// Frames and copies from a port or for it.
    package func read(port: Int, drop reason: Drop) -> UInt64 {
        read(reason, of: port, at: portReasonsAt)
    }

    /// Frames and copies from a peer or for it.
    package func read(peer: Int, drop reason: Drop) -> UInt64 {
        read(reason, of: peer, at: peerReasonsAt)
    }

    /// Frames and copies of a network, as far as its row has reasons.
    package func read(network: Int, drop reason: Drop) -> UInt64 {
        network < networkCapacity ? read(reason, of: network, at: networkReasonsAt) : 0
    }

    private func read(_ reason: Drop, of row: Int, at start: Int) -> UInt64 {
        words[start + row * Counters.reasonRow + Int(reason.rawValue)].load(ordering: .relaxed)
    }
}
