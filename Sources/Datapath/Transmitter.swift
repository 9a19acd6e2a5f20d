// Transmitter: from frames to messages for the underlay.
//
// Consecutive frames of one length to one peer through one socket leave as one message with
// UDP_SEGMENT, a train; a shorter one may be its last. A flow always takes the same socket, and
// whatever comes for a (peer, socket) closes its open train if it cannot join it, so the order
// within a flow is kept. A superframe makes trains of its own.

import CLinux
import Forwarding
import Glibc
import Uring
import Wire

/// Frames that wait for more of their kind.
struct Train {
    var vectors: UnsafeMutablePointer<iovec>
    var peer: UInt16
    var socket: UInt16
    var tos: UInt8
    var isCopy: Bool
    var count: Int
    /// Bytes of the first datagram, and so of all but the last.
    var datagramLength: Int
    var bytes: Int
}

/// The transmit side of a worker.
struct Transmitter: ~Copyable {
    private let sockets: UnsafeMutablePointer<Int32>
    private let socketCount: UInt32
    private let destinationPort: UInt16
    private let isIPv6: Bool
    /// UDP_SEGMENT works. Given up for good at the first sign that a device cannot do it.
    private(set) var segments: Bool
    private let buildsTrains: Bool
    /// Open trains, direct-mapped by peer and socket; `open` has a bit for each.
    private let trains: UnsafeMutablePointer<Train>
    private var open: UInt64 = 0

    private static let slots = 64
    /// Bytes of one message: the largest UDP payload over IPv4, which IPv6 takes as well.
    static let messageLimit = 65507

    init(
        sockets descriptors: [Int32], destinationPort: UInt16, isIPv6: Bool, segments: Bool,
        trains buildsTrains: Bool
    ) {
        sockets = .allocate(capacity: descriptors.count)
        sockets.initialize(from: descriptors, count: descriptors.count)
        socketCount = UInt32(descriptors.count)
        self.destinationPort = destinationPort
        self.isIPv6 = isIPv6
        self.segments = segments
        self.buildsTrains = buildsTrains
        trains = .allocate(capacity: Transmitter.slots)
    }

    deinit {
        sockets.deallocate()
        trains.deallocate()
    }

    /// Spreads flows over the sockets, and so over source ports (RFC 7348 section 5).
    @inline(__always)
    static func socket(for hash: UInt32, of count: UInt32) -> UInt16 {
        UInt16(truncatingIfNeeded: (UInt64(hash) &* UInt64(count)) >> 32)
    }

    @inline(__always)
    private func socket(for hash: UInt32) -> UInt16 {
        Transmitter.socket(for: hash, of: socketCount)
    }

    @inline(__always)
    private func slot(_ peer: UInt16, _ socket: UInt16) -> Int {
        Int((UInt32(peer) &* 37 &+ UInt32(socket)) % UInt32(Transmitter.slots))
    }

    /// Sends a datagram: `length` bytes from a VXLAN header on.
    mutating func send(
        _ datagram: UnsafeMutableRawPointer, length: Int, peer: UInt16, hash: UInt32, tos: UInt8,
        isCopy: Bool, _ out: inout Outlet
    ) {
        let socket = socket(for: hash)
        let slot = slot(peer, socket)
        let train = trains + slot
        if open & (1 << slot) != 0 {
            if train.pointee.peer == peer, train.pointee.socket == socket,
                train.pointee.tos == tos, train.pointee.isCopy == isCopy,
                length <= train.pointee.datagramLength,
                train.pointee.bytes &+ length <= Transmitter.messageLimit
            {
                join(slot, datagram, length, &out)
                return
            }
            close(slot, &out)
        }
        let waits = buildsTrains && segments
        guard let vectors = out.memory.takeVectors(waits ? SegmentPlan.trainLimit : 1) else {
            let datagrams = Passage.Datagrams(
                vectors: out.captures.single(datagram, length: length), count: 1,
                segmentSize: 0, tos: tos, socket: sockets[Int(socket)])
            out.drop(
                .outOfMemory, frames: 1, isCopy: isCopy, peer: peer,
                .datagrams(datagrams, peer: peer))
            return
        }
        vectors[0] = iovec(iov_base: datagram, iov_len: length)
        train.initialize(
            to: Train(
                vectors: vectors, peer: peer, socket: socket, tos: tos, isCopy: isCopy, count: 1,
                datagramLength: length, bytes: length))
        open |= 1 << slot
        if !waits { close(slot, &out) }
    }

    @inline(__always)
    private mutating func join(
        _ slot: Int, _ datagram: UnsafeMutableRawPointer, _ length: Int, _ out: inout Outlet
    ) {
        let train = trains + slot
        train.pointee.vectors[train.pointee.count] = iovec(iov_base: datagram, iov_len: length)
        train.pointee.count &+= 1
        train.pointee.bytes &+= length
        if length < train.pointee.datagramLength || train.pointee.count == SegmentPlan.trainLimit {
            close(slot, &out)
        }
    }

    /// Hands an open train to the kernel.
    private mutating func close(_ slot: Int, _ out: inout Outlet) {
        open &= ~(1 << slot)
        let train = trains[slot]
        submit(
            train.vectors, count: train.count, frames: train.count, bytes: train.bytes,
            segmentSize: train.count > 1 ? train.datagramLength : 0, peer: train.peer,
            socket: train.socket, tos: train.tos, isCopy: train.isCopy, &out)
    }

    /// Hands over everything that waits.
    mutating func flush(_ out: inout Outlet) {
        while open != 0 { close(open.trailingZeroBitCount, &out) }
    }

    /// Cuts a superframe, which came by `passage`, and sends its segments.
    mutating func send(
        _ plan: SegmentPlan, vxlan: UInt64, peer: UInt16, hash: UInt32, tos: UInt8, isCopy: Bool,
        _ passage: Passage, _ out: inout Outlet
    ) {
        let socket = socket(for: hash)
        let slot = slot(peer, socket)
        if open & (1 << slot) != 0 { close(slot, &out) }
        let perMessage = segments ? plan.segmentsPerTrain(limit: Transmitter.messageLimit) : 1
        var first = 0
        while first < plan.count {
            let range = first..<min(first &+ perMessage, plan.count)
            guard let vectors = out.memory.takeVectors(range.count &* 2),
                let headers = out.memory.takeScratch(range.count &* SegmentPlan.scratchLength)
            else {
                out.drop(
                    .outOfMemory, frames: plan.count &- first, isCopy: isCopy, peer: peer, passage)
                return
            }
            let (used, bytes) = plan.emit(
                range, vxlanHeader: vxlan, headers: headers, vectors: vectors)
            submit(
                vectors, count: used, frames: range.count, bytes: bytes,
                segmentSize: range.count > 1 ? VXLAN.headerLength &+ plan.longestFrame : 0,
                peer: peer, socket: socket, tos: tos, isCopy: isCopy, &out)
            first = range.upperBound
        }
    }

    private func submit(
        _ vectors: UnsafeMutablePointer<iovec>, count: Int, frames: Int, bytes: Int,
        segmentSize: Int, peer: UInt16, socket: UInt16, tos: UInt8, isCopy: Bool,
        _ out: inout Outlet
    ) {
        let operation = Operation(
            kind: .send, isCopy: isCopy, target: peer, frames: UInt32(truncatingIfNeeded: frames),
            bytes: UInt32(truncatingIfNeeded: bytes &- frames &* VXLAN.headerLength))
        guard let message = out.memory.takeMessage() else {
            let datagrams = Passage.Datagrams(
                vectors: vectors, count: count, segmentSize: segmentSize, tos: tos,
                socket: sockets[Int(socket)])
            out.drop(
                .outOfMemory, frames: frames, isCopy: isCopy, peer: peer,
                .datagrams(datagrams, peer: peer))
            return
        }
        message.fill(
            to: out.view.topology.peer(peer).pointee.address, port: destinationPort,
            isIPv6: isIPv6, vectors: vectors, count: count, segmentSize: segmentSize, tos: tos)
        out.send(operation, message, socket: sockets[Int(socket)])
    }

    /// A device on the way refuses segmentation: from now on a message is a datagram.
    mutating func giveUpSegmentation() { segments = false }
}
