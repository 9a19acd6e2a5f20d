// Outlet: the one way out of a worker. Every frame that leaves is an operation begun here, and
// every operation's outcome is counted here when it completes.

import Forwarding
import Glibc
import Uring

struct Outlet: ~Copyable {
    var ring: Ring
    var memory: TurnMemory
    /// What forwarding reads during this turn.
    var view: ForwardingView
    var captures: CapturePoints
    /// A device refused a segmented message (`Transmitter.giveUpSegmentation`).
    var segmentationRefused = false
    /// The path to a peer took less than it should.
    var pathRefused = false

    init(
        ring: consuming Ring, view: consuming ForwardingView, captures: consuming CapturePoints
    ) {
        self.ring = ring
        self.view = view
        self.captures = captures
        memory = TurnMemory()
    }

    /// Frames for a peer end here. A message that failed does not tell of which network it was.
    @inline(__always)
    func drop(
        _ reason: Drop, frames: Int, isCopy: Bool, peer: UInt16, network: UInt16? = nil,
        _ passage: Passage?
    ) {
        view.counters.drop(reason, frames: frames, isCopy: isCopy, peer: peer, network: network)
        if captures.seesDrops { show(passage, frames: frames, isCopy: isCopy, reason: reason) }
    }

    /// Frames from or for a port end here.
    @inline(__always)
    func drop(_ reason: Drop, frames: Int, isCopy: Bool, port: UInt16, _ passage: Passage?) {
        let entry = view.topology.port(port)
        view.counters.drop(
            reason, frames: frames, isCopy: isCopy, port: port,
            network: entry.pointee.active ? entry.pointee.network : .max)
        if captures.seesDrops { show(passage, frames: frames, isCopy: isCopy, reason: reason) }
    }

    /// Shows a packet to the captures; without bytes there is nothing to show.
    func show(_ passage: Passage?, frames: Int, isCopy: Bool, reason: Drop?) {
        guard let passage else { return }
        captures.show(
            passage, frames: frames, isCopy: isCopy, reason: reason, view.topology)
    }

    /// What an operation carries ends here.
    private func drop(_ reason: Drop, _ operation: Operation, _ passage: Passage?) {
        let frames = Int(operation.frames)
        switch operation.kind {
        case .send:
            drop(
                reason, frames: frames, isCopy: operation.isCopy, peer: operation.target, passage)
        case .deliver:
            drop(
                reason, frames: frames, isCopy: operation.isCopy, port: operation.target, passage)
        }
    }

    /// Begins a send to the underlay.
    @inline(__always)
    mutating func send(_ operation: Operation, _ message: OutgoingMessage, socket: Int32) {
        guard let index = memory.begin(operation) else {
            return drop(.outOfMemory, operation, .message(message, socket: socket))
        }
        if captures.isOn { captures.note(index, message, socket: socket) }
        let tag = RequestTag(.operation, index: index)
        let isPrepared = ring.sendMessage(
            socket: socket, message: message.header, userData: tag.bits)
        if !isPrepared { refuse(index) }
    }

    /// Begins a write to a port.
    @inline(__always)
    mutating func write(
        _ operation: Operation, file: Int32, vectors: UnsafeMutablePointer<iovec>, count: Int
    ) {
        guard let index = memory.begin(operation) else {
            return drop(
                .outOfMemory, operation,
                .pieces(port: operation.target, vectors + 1, count: count &- 1))
        }
        if captures.isOn { captures.note(index, vectors, count: count) }
        let isPrepared = ring.writeVector(
            file: file, vectors: vectors, count: UInt32(truncatingIfNeeded: count),
            userData: RequestTag(.operation, index: index).bits)
        if !isPrepared { refuse(index) }
    }

    /// The kernel takes no more submissions.
    private mutating func refuse(_ index: Int) {
        let operation = memory.end(index)
        drop(.outOfMemory, operation, passage(index, operation))
    }

    /// Counts how an operation ended.
    @inline(__always)
    mutating func complete(_ index: Int, result: Int32) {
        let operation = memory.end(index)
        let frames = Int(operation.frames)
        let counters = view.counters
        guard result >= 0 else {
            fail(index, operation, result)
            return
        }
        if captures.isOn { showCompleted(index, operation) }
        switch operation.kind {
        case .send:
            counters.add(operation.isCopy ? .copiesSent : .sent, frames)
            counters.add(.datagramsSent, frames)
            counters.add(.messagesSent)
            counters.addPeer(operation.target, .sentFrames, frames)
            counters.addPeer(operation.target, .sentBytes, Int(operation.bytes))
        case .deliver:
            counters.add(operation.isCopy ? .copiesDelivered : .delivered, frames)
            counters.add(.portWrites)
            counters.addPort(operation.target, .sentFrames, frames)
            counters.addPort(operation.target, .sentBytes, Int(operation.bytes))
        }
    }

    /// What an operation carries, while captures run.
    private func passage(_ index: Int, _ operation: Operation) -> Passage? {
        captures.isOn ? captures.passage(index, operation) : nil
    }

    private func showCompleted(_ index: Int, _ operation: Operation) {
        let isWanted =
            operation.kind == .send ? captures.seesUnderlay : captures.seesPorts
        guard isWanted else { return }
        show(
            captures.passage(index, operation), frames: Int(operation.frames),
            isCopy: operation.isCopy, reason: nil)
    }

    private mutating func fail(_ index: Int, _ operation: Operation, _ result: Int32) {
        let passage = passage(index, operation)
        switch operation.kind {
        case .send:
            let reason = reasonForSend(-result, isTrain: operation.frames > 1)
            // EIO: no checksum offload on the way out (Linux before 6.12).
            if operation.frames > 1, result == -EIO { segmentationRefused = true }
            if reason == .pathTooSmall { pathRefused = true }
            drop(reason, operation, passage)
        case .deliver:
            drop(reasonForWrite(-result), operation, passage)
        }
    }

    private func reasonForSend(_ error: Int32, isTrain: Bool) -> Drop {
        switch error {
        case EAGAIN, ENOBUFS, ENOMEM: .underlayFull
        case EMSGSIZE: .pathTooSmall
        // Before Linux 6.14 a train whose datagrams are too long for the path gives this.
        case EINVAL where isTrain: .pathTooSmall
        default: .underlayError
        }
    }

    private func reasonForWrite(_ error: Int32) -> Drop {
        switch error {
        case EAGAIN, ENOBUFS, ENOMEM: .portFull
        case ECANCELED: .portDown
        default: WorkerPort.meansNoInterface(error) ? .portDown : .portError
        }
    }
}
