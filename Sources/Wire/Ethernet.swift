// Ethernet II with optional IEEE 802.1Q tags.
//
//   0             6            12        14
//  +-------------+------------+---------+---------+
//  | destination | source     | type    | payload |
//  +-------------+------------+---------+---------+

/// Field offsets of the Ethernet header.
public enum Ethernet {
    public static let destination = 0
    public static let source = 6
    public static let type = 12
    public static let headerLength = 14
    /// A tag is type 0x8100 or 0x88a8 and sixteen bits of priority and VLAN identifier.
    public static let tagLength = 4
}

/// An EtherType (IEEE 802 numbers) that Weft looks at.
@frozen
public struct EtherType: Hashable, Sendable {
    public let rawValue: UInt16

    @inlinable @inline(__always)
    public init(_ rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable public static var ipv4: EtherType { EtherType(0x0800) }
    @inlinable public static var arp: EtherType { EtherType(0x0806) }
    @inlinable public static var ipv6: EtherType { EtherType(0x86dd) }
    /// Customer tag, IEEE 802.1Q.
    @inlinable public static var vlan: EtherType { EtherType(0x8100) }
    /// Service tag, IEEE 802.1ad.
    @inlinable public static var serviceVLAN: EtherType { EtherType(0x88a8) }

    @inlinable @inline(__always)
    public var isVLAN: Bool { self == .vlan || self == .serviceVLAN }
}

/// An IP protocol number (IANA) that Weft looks at.
@frozen
public struct IPProtocol: Hashable, Sendable {
    public let rawValue: UInt8

    @inlinable @inline(__always)
    public init(_ rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var icmp: IPProtocol { IPProtocol(1) }
    @inlinable public static var tcp: IPProtocol { IPProtocol(6) }
    @inlinable public static var udp: IPProtocol { IPProtocol(17) }
    @inlinable public static var icmpv6: IPProtocol { IPProtocol(58) }
    /// Not IP, a later fragment, or a header that is cut off.
    @inlinable public static var none: IPProtocol { IPProtocol(255) }
}
