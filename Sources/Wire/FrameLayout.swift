/// Where the headers of a frame are: read once where a frame enters, used by everyone after.
///
/// A parse never fails but for a frame shorter than an Ethernet header. What is not understood
/// or cut off ends the walk: a frame with a broken IP header is layer 2 only (`network == .other`)
/// and is forwarded by its MAC addresses like any other protocol. So every offset that a layout
/// tells is inside the frame, with all of the header that it is the start of.
@frozen
public struct FrameLayout: Equatable, Sendable {
    /// What follows the Ethernet header.
    @frozen
    public enum Network: UInt8, Sendable {
        case ipv4, ipv6, arp, other
    }

    public let network: Network
    /// VLAN tags, 0...2 counted; a frame with more keeps the rest as `other`.
    public let tags: UInt8
    /// The EtherType after the tags.
    public let etherType: EtherType
    /// Start of the IP or ARP header, or of the payload.
    public let networkOffset: UInt16
    /// Start of the transport header. 0 if there is none that can be read (not IP, a later
    /// fragment, cut off, an unknown extension header).
    public let transportOffset: UInt16
    /// `.none` where `transportOffset` is 0. For TCP and UDP the fixed header (20, 8 bytes) is
    /// inside the frame; for ICMP and ICMPv6 the first four bytes.
    public let transport: IPProtocol
    /// The frame is an IP fragment (first or later).
    public let isFragment: Bool
    /// End of the IP packet by its own length field, never past the frame's end; a superframe's
    /// field may be short (BIG TCP: 0), then the frame's end. Trailing bytes are padding.
    public let packetEnd: Int

    @inlinable @inline(__always)
    public init(
        network: Network, tags: UInt8, etherType: EtherType, networkOffset: Int,
        transportOffset: Int, transport: IPProtocol, isFragment: Bool, packetEnd: Int
    ) {
        self.network = network
        self.tags = tags
        self.etherType = etherType
        self.networkOffset = UInt16(truncatingIfNeeded: networkOffset)
        self.transportOffset = UInt16(truncatingIfNeeded: transportOffset)
        self.transport = transport
        self.isFragment = isFragment
        self.packetEnd = packetEnd
    }

    /// Walks the headers of the `length` bytes at `frame`; nil if it is shorter than an Ethernet
    /// header.
    @inlinable @inline(__always)
    public static func parse(_ frame: UnsafeRawPointer, length: Int) -> FrameLayout? {
        guard length >= Ethernet.headerLength else { return nil }
        var type = EtherType(frame.load16(Ethernet.type))
        var offset = Ethernet.headerLength
        var tags: UInt8 = 0
        while type.isVLAN, tags < 2, offset &+ Ethernet.tagLength <= length {
            type = EtherType(frame.load16(offset &+ 2))
            offset &+= Ethernet.tagLength
            tags &+= 1
        }
        if type == .ipv4 {
            return parseIPv4(frame, length, offset, tags)
        } else if type == .ipv6 {
            return parseIPv6(frame, length, offset, tags)
        }
        return FrameLayout(
            network: type == .arp && offset &+ ARP.length <= length ? .arp : .other, tags: tags,
            etherType: type, networkOffset: offset, transportOffset: 0, transport: .none,
            isFragment: false, packetEnd: length)
    }

    @inlinable @inline(__always)
    static func parseIPv4(
        _ frame: UnsafeRawPointer, _ length: Int, _ start: Int, _ tags: UInt8
    ) -> FrameLayout {
        let packet = frame + start
        let available = length &- start
        guard available >= IPv4.minimumHeaderLength,
            packet.load8(IPv4.versionAndLength) >> 4 == 4
        else { return opaque(.ipv4, start, length, tags) }
        let headerLength = Int(packet.load8(IPv4.versionAndLength) & 0xf) &* 4
        let told = Int(packet.load16(IPv4.totalLength))
        guard headerLength >= IPv4.minimumHeaderLength, headerLength <= available,
            told == 0 || (told >= headerLength && told <= available)
        else { return opaque(.ipv4, start, length, tags) }
        let end = told == 0 ? length : start &+ told
        let fragment = packet.load16(IPv4.flagsAndFragment)
        let proto = IPProtocol(packet.load8(IPv4.proto))
        let transport = start &+ headerLength
        let readable =
            fragment & IPv4.offsetMask == 0 && proto != .icmpv6 && fits(proto, end &- transport)
        return FrameLayout(
            network: .ipv4, tags: tags, etherType: .ipv4, networkOffset: start,
            transportOffset: readable ? transport : 0, transport: readable ? proto : .none,
            isFragment: fragment & IPv4.fragmentMask != 0, packetEnd: end)
    }

    @inlinable @inline(__always)
    static func parseIPv6(
        _ frame: UnsafeRawPointer, _ length: Int, _ start: Int, _ tags: UInt8
    ) -> FrameLayout {
        let packet = frame + start
        let available = length &- start
        guard available >= IPv6.headerLength, packet.load8(IPv6.versionAndClass) >> 4 == 6
        else { return opaque(.ipv6, start, length, tags) }
        let told = Int(packet.load16(IPv6.payloadLength))
        guard IPv6.headerLength &+ told <= available
        else { return opaque(.ipv6, start, length, tags) }
        let end = told == 0 ? length : start &+ IPv6.headerLength &+ told
        var next = packet.load8(IPv6.nextHeader)
        var offset = start &+ IPv6.headerLength
        var isFragment = false
        var isLater = false
        var steps = 0
        // RFC 8200 section 4: extension headers, eight bytes and multiples of it. The bound on
        // their number keeps a hostile frame from holding up the others; a packet with more is not
        // understood, lest what lies behind them pass as nothing to check.
        while offset &+ 8 <= end {
            if next == IPv6.Extension.fragment {
                isFragment = true
                isLater = frame.load16(offset &+ 2) & 0xfff8 != 0
                next = frame.load8(offset)
                offset &+= 8
                if isLater { break }
            } else if next == IPv6.Extension.hopByHop || next == IPv6.Extension.routing
                || next == IPv6.Extension.destinationOptions
            {
                next = frame.load8(offset)
                offset &+= (Int(frame.load8(offset &+ 1)) &+ 1) &* 8
            } else {
                break
            }
            steps &+= 1
            guard steps <= 8 else { return opaque(.ipv6, start, length, tags) }
        }
        let proto = IPProtocol(next)
        let readable = !isLater && fits(proto, end &- offset)
        return FrameLayout(
            network: .ipv6, tags: tags, etherType: .ipv6, networkOffset: start,
            transportOffset: readable ? offset : 0, transport: readable ? proto : .none,
            isFragment: isFragment, packetEnd: end)
    }

    /// Whether the fixed part of the transport header fits into `available` bytes.
    @inlinable @inline(__always)
    static func fits(_ proto: IPProtocol, _ available: Int) -> Bool {
        switch proto {
        case .tcp: available >= TCP.minimumHeaderLength
        case .udp: available >= UDP.headerLength
        case .icmp, .icmpv6: available >= 4
        default: false
        }
    }

    @inlinable @inline(__always)
    static func opaque(
        _ type: EtherType, _ start: Int, _ length: Int, _ tags: UInt8
    ) -> FrameLayout {
        FrameLayout(
            network: .other, tags: tags, etherType: type, networkOffset: start,
            transportOffset: 0, transport: .none, isFragment: false, packetEnd: length)
    }
}
