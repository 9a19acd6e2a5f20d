internal import CLinux

/// Walks the control messages (cmsg(3)) of a received buffer; ends at the first one that does not
/// fit, so that no length in the buffer leads outside it.
@frozen
public struct ControlMessages {
    @usableFromInline var cursor: UnsafeRawPointer
    @usableFromInline var remaining: Int

    /// Bytes of a `cmsghdr`: an 8-byte length that counts itself, a level, a type.
    @inlinable
    public static var headerLength: Int {
        @inline(__always) get { 16 }
    }

    /// A walk over `length` bytes at `control`, of any alignment.
    @inlinable @inline(__always)
    public init(at control: UnsafeRawPointer, length: Int) {
        cursor = control
        remaining = length
    }

    /// The next message: its level, its type, its data and how many bytes of them there are.
    @inlinable @inline(__always)
    public mutating func next() -> (
        level: Int32, type: Int32, data: UnsafeRawPointer, count: Int
    )? {
        guard remaining >= Self.headerLength else { return nil }
        let length = cursor.loadUnaligned(as: UInt.self)
        guard length >= UInt(Self.headerLength), length <= UInt(remaining) else { return nil }
        let message = (
            level: cursor.loadUnaligned(fromByteOffset: 8, as: Int32.self),
            type: cursor.loadUnaligned(fromByteOffset: 12, as: Int32.self),
            data: cursor + Self.headerLength,
            count: Int(length) &- Self.headerLength
        )
        // The last message need not be padded.
        let step = min((Int(length) &+ 7) & ~7, remaining)
        cursor += step
        remaining &-= step
        return message
    }
}

/// What the control messages of an underlay datagram say.
@frozen
public struct ReceivedControl {
    /// Bytes of each datagram of a UDP_GRO train, the last may be shorter; 0 is one datagram.
    public var segmentSize = 0
    /// TOS or traffic class of the outer header: DSCP in the upper six bits, ECN in the lower two.
    public var trafficClass: UInt8 = 0

    /// Reads `length` bytes at `control`; what is malformed or unknown is passed over.
    @inlinable @inline(__always)
    public init(at control: UnsafeRawPointer, length: Int) {
        var messages = ControlMessages(at: control, length: length)
        while let message = messages.next() {
            switch (message.level, message.type) {
            case (17, 104) where message.count >= 4:  // SOL_UDP, UDP_GRO: int
                let size = message.data.loadUnaligned(as: Int32.self)
                segmentSize = Int(max(0, min(size, 65535)))
            case (0, 1) where message.count >= 1:  // IPPROTO_IP, IP_TOS: u8
                trafficClass = message.data.load(as: UInt8.self)
            case (41, 67) where message.count >= 4:  // IPPROTO_IPV6, IPV6_TCLASS: int
                trafficClass = UInt8(
                    truncatingIfNeeded: message.data.loadUnaligned(as: Int32.self))
            default:
                break
            }
        }
    }

    /// Room for the control messages of one datagram or train, with some to spare.
    @inlinable
    public static var capacity: Int {
        @inline(__always) get { 96 }
    }
}

/// The control messages of an outgoing datagram or train, at fixed places of a caller's buffer.
///
///     0                       24                      48
///     +-----------------------+-----------------------+
///     | UDP_SEGMENT: u16      | IP_TOS or TCLASS: int |
///     +-----------------------+-----------------------+
///
/// Prepared once, patched per message. A train takes all of it as its control (`msg_control` at 0,
/// `msg_controllen` of `length`); a single datagram the second half (at `singleOffset`, of
/// `singleLength`).
@frozen
public enum TransmitControl {
    /// Bytes of a train's control.
    @inlinable
    public static var length: Int {
        @inline(__always) get { 48 }
    }

    /// Where a single datagram's control starts.
    @inlinable
    public static var singleOffset: Int {
        @inline(__always) get { 24 }
    }

    /// Bytes of a single datagram's control.
    @inlinable
    public static var singleLength: Int {
        @inline(__always) get { 24 }
    }

    /// Writes both messages, of segment size 0 and traffic class 0, to `length` bytes at `buffer`.
    public static func prepare(at buffer: UnsafeMutableRawPointer, isIPv6: Bool) {
        func header(at offset: Int, data: Int, level: Int32, type: Int32) {
            buffer.storeBytes(of: 16 + data, toByteOffset: offset, as: Int.self)
            buffer.storeBytes(of: level, toByteOffset: offset + 8, as: Int32.self)
            buffer.storeBytes(of: type, toByteOffset: offset + 12, as: Int32.self)
            buffer.storeBytes(of: 0, toByteOffset: offset + 16, as: UInt64.self)
        }
        header(at: 0, data: 2, level: Int32(SOL_UDP), type: UDP_SEGMENT)
        header(
            at: singleOffset, data: 4,
            level: Int32(isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP),
            type: isIPv6 ? IPV6_TCLASS : IP_TOS)
    }

    /// Sets how many bytes of payload each datagram of the train has.
    @inlinable @inline(__always)
    public static func setSegmentSize(_ bytes: UInt16, at buffer: UnsafeMutableRawPointer) {
        buffer.storeBytes(of: bytes, toByteOffset: 16, as: UInt16.self)
    }

    /// Sets TOS or traffic class of the outer header.
    @inlinable @inline(__always)
    public static func setTrafficClass(_ value: UInt8, at buffer: UnsafeMutableRawPointer) {
        buffer.storeBytes(of: Int32(value), toByteOffset: 40, as: Int32.self)
    }
}

/// An IEEE 802.1Q tag that the kernel took out of a frame (PACKET_AUXDATA).
@frozen
public struct VLANTag: Equatable, Sendable {
    /// 0x8100 or 0x88a8.
    public let protocolID: UInt16
    /// Priority, DEI and VLAN identifier, as in the frame.
    public let control: UInt16

    /// The VLAN identifier, 12 bits.
    @inlinable
    public var identifier: UInt16 {
        @inline(__always) get { control & 0x0fff }
    }

    /// Finds the tag in a packet socket's control messages; `nil` if the frame had none.
    @inlinable @inline(__always)
    public init?(control bytes: UnsafeRawPointer, length: Int) {
        var messages = ControlMessages(at: bytes, length: length)
        while let message = messages.next() {
            // SOL_PACKET, PACKET_AUXDATA: struct tpacket_auxdata of 20 bytes.
            guard message.level == 263, message.type == 8, message.count >= 20 else { continue }
            let status = message.data.loadUnaligned(as: UInt32.self)
            guard status & 0x10 != 0 else { return nil }  // TP_STATUS_VLAN_VALID
            control = message.data.loadUnaligned(fromByteOffset: 16, as: UInt16.self)
            let named = status & 0x40 != 0  // TP_STATUS_VLAN_TPID_VALID
            protocolID =
                named ? message.data.loadUnaligned(fromByteOffset: 18, as: UInt16.self) : 0x8100
            return
        }
        return nil
    }

    /// Room for a packet socket's control messages.
    @inlinable
    public static var controlCapacity: Int {
        @inline(__always) get { 64 }
    }
}
