// IPv4 (RFC 791 section 3.1)
//
//   0       1       2               4               6
//  +-------+-------+---------------+---------------+---------------+
//  |Ver|IHL| TOS   | Total length  | Identification|Flags|Fragment |
//  +-------+-------+---------------+---------------+---------------+
//  | TTL   | Proto | Checksum      | Source                        |
//  +-------+-------+---------------+-------------------------------+
//  | Destination                   | Options ...
//  +-------------------------------+

/// Field offsets of the IPv4 header.
public enum IPv4 {
    public static let versionAndLength = 0
    public static let tos = 1
    public static let totalLength = 2
    public static let identification = 4
    public static let flagsAndFragment = 6
    public static let ttl = 8
    public static let proto = 9
    public static let checksum = 10
    public static let source = 12
    public static let destination = 16
    public static let minimumHeaderLength = 20

    /// Don't Fragment, within `flagsAndFragment`.
    public static let dontFragment: UInt16 = 0x4000
    /// More Fragments or an offset, within `flagsAndFragment`: it is a fragment.
    public static let fragmentMask: UInt16 = 0x3fff
    /// The offset alone.
    public static let offsetMask: UInt16 = 0x1fff
}
