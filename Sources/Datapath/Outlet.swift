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
    /// A device refused a segmented message (`Transmitter.giveUpSegmentation`).
    var segmentationRefused = false

    init(ring: consuming Ring, view: ForwardingView) {
        self.ring = ring
        self.view = view
        memory = TurnMemory()
    }

    @inline(__always)
    func drop(_ reason: Drop, frames: Int, isCopy: Bool) {
        if isCopy {
            view.counters.dropCopy(reason, frames: frames)
        } else {
            view.counters.drop(reason, frames: frames)
        }
    }

    /// Begins a send to the underlay.
    @inline(__always)
    mutating func send(_ operation: Operation, _ message: OutgoingMessage, socket: Int32) {
        guard let index = memory.begin(operation) else {
            drop(.outOfMemory, frames: Int(operation.frames), isCopy: operation.isCopy)
            return
        }
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
            drop(.outOfMemory, frames: Int(operation.frames), isCopy: operation.isCopy)
            return
        }
        let isPrepared = ring.writeVector(
            file: file, vectors: vectors, count: UInt32(truncatingIfNeeded: count),
            userData: RequestTag(.operation, index: index).bits)
        if !isPrepared { refuse(index) }
    }

    /// The kernel takes no more submissions.
    private mutating func refuse(_ index: Int) {
        let operation = memory.end(index)
        drop(.outOfMemory, frames: Int(operation.frames), isCopy: operation.isCopy)
    }

    /// Counts how an operation ended.
    @inline(__always)
    mutating func complete(_ index: Int, result: Int32) {
        let operation = memory.end(index)
        let frames = Int(operation.frames)
        let counters = view.counters
        guard result >= 0 else {
            fail(operation, result)
            return
        }
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

    private mutating func fail(_ operation: Operation, _ result: Int32) {
        let frames = Int(operation.frames)
        switch operation.kind {
        case .send:
            // EIO: no checksum offload on the way out (Linux before 6.12). EINVAL: no UDP_SEGMENT.
            if frames > 1, result == -EIO || result == -EINVAL { segmentationRefused = true }
            drop(reasonForSend(-result), frames: frames, isCopy: operation.isCopy)
            view.counters.addPeer(operation.target, .drops, frames)
        case .deliver:
            drop(reasonForWrite(-result), frames: frames, isCopy: operation.isCopy)
            view.counters.addPort(operation.target, .drops, frames)
        }
    }

    private func reasonForSend(_ error: Int32) -> Drop {
        switch error {
        case EAGAIN, ENOBUFS, ENOMEM: .underlayFull
        case EMSGSIZE: .pathTooSmall
        default: .underlayError
        }
    }

    private func reasonForWrite(_ error: Int32) -> Drop {
        switch error {
        case EAGAIN, ENOBUFS, ENOMEM: .portFull
        // A TAP that is down gives EIO, one that is gone EBADFD; a packet socket ENETDOWN, ENXIO.
        case EIO, EBADFD, EBADF, ENETDOWN, ENXIO, ENODEV, ECANCELED: .portDown
        default: .portError
        }
    }
}
