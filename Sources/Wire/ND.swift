// IPv6 neighbour discovery (RFC 4861 sections 4.3 and 4.4): ICMPv6 types 135 and 136.
//
//   0       1       2               4                               8            24
//  +-------+-------+---------------+-------------------------------+------------+---------+
//  | Type  | Code  | Checksum      | R S O, reserved               | Target     | Options |
//  +-------+-------+---------------+-------------------------------+------------+---------+

/// Field offsets of a neighbour solicitation or advertisement.
public enum ND {
    public static let type = 0
    public static let code = 1
    public static let checksum = 2
    public static let flags = 4
    public static let target = 8
    /// Without options.
    public static let messageLength = 24

    public static let solicitation: UInt8 = 135
    public static let advertisement: UInt8 = 136

    /// Router solicitation and advertisement, RFC 4861 sections 4.1 and 4.2.
    @inlinable public static var routerSolicitation: UInt8 { 133 }
    @inlinable public static var routerAdvertisement: UInt8 { 134 }
    /// Multicast listener messages, RFC 2710 section 3 and RFC 3810 section 5.
    @inlinable public static var listenerReport: UInt8 { 131 }
    @inlinable public static var listenerDone: UInt8 { 132 }
    @inlinable public static var listenerReportV2: UInt8 { 143 }

    /// Within the 32 bits of `flags`.
    @inlinable public static var router: UInt32 { 0x8000_0000 }
    public static let solicited: UInt32 = 0x4000_0000
    public static let override: UInt32 = 0x2000_0000

    /// Option types (section 4.6.1): link-layer address of the source, of the target. Eight
    /// bytes on Ethernet: type, length 1, MAC.
    public static let sourceLinkLayer: UInt8 = 1
    public static let targetLinkLayer: UInt8 = 2
    public static let linkLayerOptionLength = 8
}
