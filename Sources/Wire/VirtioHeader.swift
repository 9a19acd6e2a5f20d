// virtio_net_hdr_v1 (virtio 1.2 section 5.1.6; linux/virtio_net.h), little-endian:
//
//   0       1         2           4           6            8             10
//  +-------+---------+-----------+-----------+------------+-------------+-------------+
//  | flags | GSO type| hdr_len   | gso_size  | csum_start | csum_offset | num_buffers |
//  +-------+---------+-----------+-----------+------------+-------------+-------------+
//
// A TAP carries all twelve bytes, a packet socket the first ten.

/// What stands before a frame on a TAP or a packet socket: which checksum is still to be
/// completed, and into what sizes a superframe is to be cut.
@frozen
public struct VirtioHeader: Equatable, Sendable {
    /// `flags`: the checksum at `checksumStart + checksumOffset` holds the folded pseudo-header
    /// sum, and the one's complement sum from `checksumStart` to the end is to be put there.
    public static let needsChecksum: UInt8 = 1
    /// `flags`: the sender has verified the checksum.
    public static let dataValid: UInt8 = 2

    public static let length = 12
    public static let packetSocketLength = 10

    /// How a superframe is to be cut.
    @frozen
    public struct Segmentation: Equatable, Sendable {
        public let rawValue: UInt8

        @inlinable @inline(__always)
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        @inlinable public static var none: Segmentation { Segmentation(rawValue: 0) }
        @inlinable public static var tcpv4: Segmentation { Segmentation(rawValue: 1) }
        @inlinable public static var tcpv6: Segmentation { Segmentation(rawValue: 4) }
        @inlinable public static var udp: Segmentation { Segmentation(rawValue: 5) }
        /// Or-ed to a TCP type: the superframe's first segment has CWR set (RFC 3168).
        @inlinable public static var ecn: UInt8 { 0x80 }
    }

    public var flags: UInt8
    public var segmentation: Segmentation
    /// A hint only; never trusted (a forwarded frame carries the length of its linear part).
    public var headerLength: UInt16
    /// Payload bytes of each segment but the last.
    public var segmentSize: UInt16
    public var checksumStart: UInt16
    public var checksumOffset: UInt16

    @inlinable @inline(__always)
    public init(
        flags: UInt8 = 0, segmentation: Segmentation = .none, headerLength: UInt16 = 0,
        segmentSize: UInt16 = 0, checksumStart: UInt16 = 0, checksumOffset: UInt16 = 0
    ) {
        self.flags = flags
        self.segmentation = segmentation
        self.headerLength = headerLength
        self.segmentSize = segmentSize
        self.checksumStart = checksumStart
        self.checksumOffset = checksumOffset
    }

    /// Reads ten bytes.
    @inlinable @inline(__always)
    public init(at bytes: UnsafeRawPointer) {
        flags = bytes.load(as: UInt8.self)
        segmentation = Segmentation(rawValue: bytes.load(fromByteOffset: 1, as: UInt8.self))
        headerLength = bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian
        segmentSize = bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self).littleEndian
        checksumStart = bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self).littleEndian
        checksumOffset = bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self).littleEndian
    }

    /// Writes ten bytes.
    @inlinable @inline(__always)
    public func store(at bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: flags, as: UInt8.self)
        bytes.storeBytes(of: segmentation.rawValue, toByteOffset: 1, as: UInt8.self)
        bytes.storeBytes(of: headerLength.littleEndian, toByteOffset: 2, as: UInt16.self)
        bytes.storeBytes(of: segmentSize.littleEndian, toByteOffset: 4, as: UInt16.self)
        bytes.storeBytes(of: checksumStart.littleEndian, toByteOffset: 6, as: UInt16.self)
        bytes.storeBytes(of: checksumOffset.littleEndian, toByteOffset: 8, as: UInt16.self)
    }

    @inlinable @inline(__always)
    public var needsChecksum: Bool { flags & Self.needsChecksum != 0 }

    @inlinable @inline(__always)
    public var isSuperframe: Bool { segmentation.rawValue & ~Segmentation.ecn != 0 }
}
