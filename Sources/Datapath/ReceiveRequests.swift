// ReceiveRequests: how multishot receives are asked for, and how what they give is taken apart.

import CLinux
import Forwarding
import Glibc
import Ports
import Uring
import Wire

/// Datagrams of one sender: one, or a train that UDP_GRO made.
struct UnderlayTrain {
    var bytes: UnsafeMutableRawPointer
    var length: Int
    /// Bytes of each datagram but the last.
    var datagramLength: Int
    var source: IPv6Address
    /// The sender as the kernel names it: a `sockaddr`.
    var name: UnsafeRawPointer
    var tos: UInt8
    var isTruncated: Bool

    /// The datagram that begins at an offset.
    @inline(__always)
    func datagram(at offset: Int) -> UnderlayDatagram {
        UnderlayDatagram(
            bytes: bytes + offset, length: min(datagramLength, length &- offset), tos: tos,
            name: name)
    }
}

/// One datagram of a train.
struct UnderlayDatagram {
    var bytes: UnsafeMutableRawPointer
    var length: Int
    var tos: UInt8
    var name: UnsafeRawPointer
}

/// The fixed part of a worker's receives.
struct ReceiveRequests: ~Copyable {
    static let portGroup: UInt16 = 1
    static let underlayGroup: UInt16 = 2
    private static let nameCapacity = 32

    let underlaySocket: Int32
    private let underlayMessage: UnsafeMutablePointer<msghdr>
    private let packetMessage: UnsafeMutablePointer<msghdr>
    var underlayNeedsArming = true
    var portsNeedArming = false
    var mailboxNeedsArming = true

    init(underlaySocket: Int32) {
        self.underlaySocket = underlaySocket
        underlayMessage = .allocate(capacity: 1)
        packetMessage = .allocate(capacity: 1)
        underlayMessage.initialize(to: msghdr())
        underlayMessage.pointee.msg_namelen = socklen_t(ReceiveRequests.nameCapacity)
        underlayMessage.pointee.msg_controllen = ReceivedControl.capacity
        packetMessage.initialize(to: msghdr())
        packetMessage.pointee.msg_controllen = VLANTag.controlCapacity
    }

    deinit {
        underlayMessage.deallocate()
        packetMessage.deallocate()
    }

    func armUnderlay(_ ring: borrowing Ring) -> Bool {
        ring.receiveMultishot(
            socket: underlaySocket, message: underlayMessage, group: ReceiveRequests.underlayGroup,
            userData: RequestTag(.underlay).bits)
    }

    /// Asks for frames of a port. Without multishot reads one request reads one frame.
    func arm(
        _ index: Int, _ port: WorkerPort, multishot: Bool, length: Int, _ ring: borrowing Ring
    ) -> Bool {
        let tag = RequestTag(.port, index: index, generation: port.generation).bits
        return switch port.reading {
        case .packetSocket:
            ring.receiveMultishot(
                socket: port.file, message: packetMessage, group: ReceiveRequests.portGroup,
                userData: tag)
        case .file where multishot:
            ring.readMultishot(
                file: port.file, group: ReceiveRequests.portGroup, userData: tag)
        case .file:
            ring.read(
                file: port.file, group: ReceiveRequests.portGroup, length: UInt32(length),
                userData: tag)
        }
    }

    /// Takes a receive from the underlay apart. Nil if the kernel gave less than it says.
    @inline(__always)
    func train(_ buffer: UnsafeMutableRawPointer, _ result: Int32) -> UnderlayTrain? {
        guard
            let message = ReceivedMessage(
                buffer: buffer, result: result, nameCapacity: ReceiveRequests.nameCapacity,
                controlCapacity: ReceivedControl.capacity)
        else { return nil }
        let control = ReceivedControl(at: message.control, length: message.controlLength)
        let source = SocketAddress(at: message.name)?.address.mapped ?? .any
        let size = control.segmentSize
        return UnderlayTrain(
            bytes: message.payload, length: message.payloadLength,
            datagramLength: size > 0 ? size : max(1, message.payloadLength), source: source,
            name: message.name, tos: control.trafficClass,
            isTruncated: message.flags & UInt32(MSG_TRUNC) != 0)
    }

    /// Takes a receive from a packet socket apart: where the virtio header starts and how long it
    /// and the frame are. A VLAN tag, which the kernel hands over beside the frame, is put back.
    /// Nil if the frame is larger than any that a port may send, and was cut off.
    @inline(__always)
    func packet(
        _ buffer: UnsafeMutableRawPointer, _ result: Int32
    ) -> (UnsafeMutableRawPointer, Int)? {
        guard
            let message = ReceivedMessage(
                buffer: buffer, result: result, nameCapacity: 0,
                controlCapacity: VLANTag.controlCapacity)
        else { return nil }
        guard message.flags & UInt32(MSG_TRUNC) == 0 else { return nil }
        guard let tag = VLANTag(control: message.control, length: message.controlLength) else {
            return (message.payload, message.payloadLength)
        }
        return insert(tag, message.payload, message.payloadLength)
    }

    /// Moves the virtio header and the MAC addresses four bytes down, into the control part, which
    /// has been read, and the tag into the gap.
    private func insert(
        _ tag: VLANTag, _ start: UnsafeMutableRawPointer, _ length: Int
    ) -> (UnsafeMutableRawPointer, Int)? {
        let headers = PacketPort.virtioHeaderLength + Ethernet.type
        guard length >= headers else { return (start, length) }
        var virtio = VirtioHeader(at: start)
        let moved = start - Ethernet.tagLength
        moved.copyMemory(from: start, byteCount: headers)
        moved.store16(tag.protocolID, headers)
        moved.store16(tag.control, headers + 2)
        if virtio.needsChecksum { virtio.checksumStart &+= UInt16(Ethernet.tagLength) }
        virtio.store(at: moved)
        return (moved, length + Ethernet.tagLength)
    }
}

extension Ring {
    /// Something was prepared that the kernel has not been given.
    @inline(__always)
    var hasSubmissions: Bool { submissionSpace < submissionCapacity }
}
