// CapturePoints: where a worker shows packets to the captures that run.
//
//   from port      WorkerEgress.forward        as it was read
//   to port        Outlet.complete             once written; a superframe is one packet
//   from underlay  WorkerIngress.fromUnderlay  each datagram of a train
//   to underlay    Outlet.complete             once sent; each datagram of a message
//   drops          wherever one is counted
//
// While no capture runs each of these is a flag that is looked at, false. What a capture wants is
// copied into its ring; nothing is allocated, and nobody is waited for.

import CLinux
import Capture
import Forwarding
import Glibc
import Ports
import Wire

/// One capture, as a worker needs it. Rings and filters are the keeper's, which frees them when all
/// workers have let go.
struct CaptureTap: Sendable {
    /// Stands for any port or network.
    static let any: UInt16 = 0xffff

    var atPorts: Bool
    var atUnderlay: Bool
    var port = CaptureTap.any
    var network = CaptureTap.any
    var drops: Bool
    var snapLength: Int
    var filter: PacketFilter?
    var ring: CaptureRing

    /// Whether this is one of the places that were asked for; `network` is that of the packet.
    @inline(__always)
    func wants(_ record: CaptureRecord, _ network: UInt16) -> Bool {
        guard drops == (record.reason != 0) else { return false }
        guard record.row == CaptureRecord.underlay ? atUnderlay : atPorts else { return false }
        guard port == CaptureTap.any || port == record.row else { return false }
        return self.network == CaptureTap.any || self.network == network
    }
}

/// A packet at a capture point: where it is, and where its bytes lie.
enum Passage {
    /// A frame that came from a port.
    case from(port: UInt16, frame: UnsafeMutableRawPointer?, length: Int)
    /// A frame for a port.
    case to(port: UInt16, frame: UnsafeMutableRawPointer, length: Int)
    /// A frame for a port, in pieces.
    case pieces(port: UInt16, UnsafeMutablePointer<iovec>, count: Int)
    /// A datagram from the underlay.
    case received(UnderlayDatagram)
    /// Datagrams for a peer, before they became a message.
    case datagrams(Datagrams, peer: UInt16)
    /// Datagrams for a peer, as they were handed to the kernel.
    case message(OutgoingMessage, socket: Int32)

    /// Datagrams of a message: pieces, and after how many bytes the next one begins.
    struct Datagrams {
        var vectors: UnsafeMutablePointer<iovec>
        var count: Int
        /// 0 = it is one datagram.
        var segmentSize: Int
        var tos: UInt8
        var socket: Int32
    }
}

/// The captures of one worker.
struct CapturePoints: ~Copyable {
    /// Captures that run at once at most.
    static let most = 4
    /// Pieces of a packet: headers and the frames of a coalescer.
    private static let pieceCapacity = WorkerThread.coalescerCapacity + 1

    /// What an operation in flight carries.
    private struct Note {
        /// The vectors or the message; nil if the operation began before the capture.
        var bytes: UnsafeMutableRawPointer?
        /// How many vectors, or through which socket.
        var detail: Int
    }

    /// Some capture wants what passes ports, what passes the underlay, what is dropped.
    private(set) var seesPorts = false
    private(set) var seesUnderlay = false
    private(set) var seesDrops = false
    private let taps: UnsafeMutablePointer<CaptureTap>
    private var count = 0
    private let notes: UnsafeMutablePointer<Note>
    private let pieces: UnsafeMutablePointer<iovec>
    private let outer: OuterHeaders

    /// - Parameters:
    ///   - underlay: where datagrams arrive.
    ///   - sockets: what they are sent through, and the source ports.
    init(underlay: SocketAddress, sockets: [(socket: Int32, port: UInt16)]) {
        taps = .allocate(capacity: CapturePoints.most)
        notes = .allocate(capacity: TurnMemory.operationCapacity)
        pieces = .allocate(capacity: CapturePoints.pieceCapacity + 1)
        outer = OuterHeaders(underlay: underlay, sockets: sockets)
    }

    deinit {
        taps.deallocate()
        notes.deallocate()
        pieces.deallocate()
        outer.deallocate()
    }

    @inline(__always)
    var isOn: Bool { count > 0 }

    /// From now on these captures run, `most` of them at most.
    mutating func replace(_ new: [CaptureTap]) {
        if !isOn {
            notes.update(
                repeating: Note(bytes: nil, detail: 0), count: TurnMemory.operationCapacity)
        }
        count = 0
        for tap in new.prefix(CapturePoints.most) {
            (taps + count).initialize(to: tap)
            count += 1
        }
        seesPorts = new.contains { $0.atPorts && !$0.drops }
        seesUnderlay = new.contains { $0.atUnderlay && !$0.drops }
        seesDrops = new.contains(where: \.drops)
    }

    /// Notes what an operation carries that begins.
    @inline(__always)
    func note(_ index: Int, _ message: OutgoingMessage, socket: Int32) {
        notes[index] = Note(bytes: message.memory, detail: Int(socket))
    }

    @inline(__always)
    func note(_ index: Int, _ vectors: UnsafeMutablePointer<iovec>, count: Int) {
        notes[index] = Note(bytes: UnsafeMutableRawPointer(vectors), detail: count)
    }

    /// What an operation carries that has ended.
    func passage(_ index: Int, _ operation: Operation) -> Passage? {
        let note = notes[index]
        guard let bytes = note.bytes else { return nil }
        switch operation.kind {
        case .send:
            return .message(
                OutgoingMessage(memory: bytes), socket: Int32(truncatingIfNeeded: note.detail))
        case .deliver:
            // Before the frame lies the virtio header.
            return .pieces(
                port: operation.target, bytes.assumingMemoryBound(to: iovec.self) + 1,
                count: note.detail &- 1)
        }
    }
}

extension CapturePoints {
    /// A vector for what is in one piece. Valid until the next one.
    func single(_ bytes: UnsafeMutableRawPointer, length: Int) -> UnsafeMutablePointer<iovec> {
        let vector = pieces + CapturePoints.pieceCapacity
        vector.initialize(to: iovec(iov_base: bytes, iov_len: length))
        return vector
    }

    /// One of the coalescer's items that is not to be written.
    func passage(of index: Int, _ coalescer: borrowing Coalescer, to port: UInt16) -> Passage {
        .pieces(port: port, pieces, count: coalescer.vectors(of: index, into: pieces))
    }
}

// MARK: - Showing

extension CapturePoints {
    /// Shows a packet to whoever wants it; `reason` if it ends here.
    @inline(never)
    func show(
        _ passage: Passage, frames: Int = 1, isCopy: Bool = false, reason: Drop? = nil,
        _ topology: Topology
    ) {
        var record = CaptureRecord(
            row: CaptureRecord.underlay, marks: isCopy ? .copy : [], frames: frames,
            reason: reason.map { $0.rawValue &+ 1 } ?? 0, time: CapturePoints.now())
        switch passage {
        case .from(let port, let frame, let length):
            record.row = port
            show(frame, length, record, topology)
        case .to(let port, let frame, let length):
            record.row = port
            record.marks.insert(.outbound)
            show(frame, length, record, topology)
        case .pieces(let port, let vectors, let count):
            record.row = port
            record.marks.insert(.outbound)
            offer(
                PacketPieces(vectors, count: count), record,
                network: CapturePoints.network(of: port, topology))
        case .received(let datagram):
            guard let sender = SocketAddress(at: datagram.name) else { return }
            outer.begin(from: sender, tos: datagram.tos)
            pieces[1] = iovec(iov_base: datagram.bytes, iov_len: datagram.length)
            offerDatagram(pieces: 2, length: datagram.length, record, topology)
        case .datagrams(let datagrams, let peer):
            record.marks.insert(.outbound)
            outer.begin(
                to: topology.peer(peer).pointee.address, socket: datagrams.socket,
                tos: datagrams.tos)
            show(datagrams, record, topology)
        case .message(let message, let socket):
            record.marks.insert(.outbound)
            guard let target = message.target else { return }
            outer.begin(to: target.address.mapped, socket: socket, tos: message.tos)
            let header = message.header.pointee
            show(
                Passage.Datagrams(
                    vectors: header.msg_iov, count: header.msg_iovlen,
                    segmentSize: message.segmentSize, tos: message.tos, socket: socket),
                record, topology)
        }
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    private static func network(of port: UInt16, _ topology: Topology) -> UInt16 {
        Int(port) < topology.portCount ? topology.port(port).pointee.network : CaptureTap.any
    }

    /// A frame in one piece.
    private func show(
        _ frame: UnsafeMutableRawPointer?, _ length: Int, _ record: CaptureRecord,
        _ topology: Topology
    ) {
        pieces[0] = iovec(iov_base: frame, iov_len: length)
        offer(
            PacketPieces(pieces, count: 1, length: length), record,
            network: CapturePoints.network(of: record.row, topology))
    }

    /// Takes a message's datagrams apart; its vectors may be cut at any place.
    private func show(
        _ datagrams: Passage.Datagrams, _ record: CaptureRecord, _ topology: Topology
    ) {
        var record = record
        record.frames = 1
        var total = 0
        for index in 0..<datagrams.count { total &+= datagrams.vectors[index].iov_len }
        let size = datagrams.segmentSize > 0 ? datagrams.segmentSize : total
        var index = 0
        var used = 0
        while total > 0 {
            let length = min(size, total)
            total &-= length
            var missing = length
            var count = 1
            while missing > 0, count < CapturePoints.pieceCapacity {
                let vector = datagrams.vectors[index]
                let part = min(missing, vector.iov_len &- used)
                pieces[count] = iovec(iov_base: vector.iov_base + used, iov_len: part)
                count &+= 1
                missing &-= part
                used &+= part
                if used == vector.iov_len {
                    index &+= 1
                    used = 0
                }
            }
            offerDatagram(pieces: count, length: length &- missing, record, topology)
        }
    }

    /// A datagram in `pieces` from 1 on: its outer headers come before it.
    private func offerDatagram(
        pieces count: Int, length: Int, _ record: CaptureRecord, _ topology: Topology
    ) {
        pieces[0] = outer.finish(payload: length)
        let packet = PacketPieces(pieces, count: count, length: pieces[0].iov_len &+ length)
        let start = pieces[0].iov_len
        var network = CaptureTap.any
        if let flags = packet.load(start &+ VXLAN.flags, bytes: 1),
            flags & UInt32(VXLAN.vniValid) != 0,
            let vni = packet.load(start &+ VXLAN.vni, bytes: 4)
        {
            network = topology.network(vni: vni >> 8) ?? CaptureTap.any
        }
        offer(packet, record, network: network)
    }

    private func offer(_ packet: PacketPieces, _ record: CaptureRecord, network: UInt16) {
        for index in 0..<count {
            let tap = taps + index
            guard tap.pointee.wants(record, network) else { continue }
            let wanted = tap.pointee.filter.map { Int($0.run(packet)) } ?? packet.length
            guard wanted > 0 || tap.pointee.filter == nil else { continue }
            var record = record
            record.length = UInt32(truncatingIfNeeded: packet.length)
            record.keptLength = UInt32(
                truncatingIfNeeded: min(wanted, tap.pointee.snapLength, packet.length))
            tap.pointee.ring.push(record, packet)
        }
    }
}
