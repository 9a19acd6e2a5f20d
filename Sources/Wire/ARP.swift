// ARP for IPv4 over Ethernet (RFC 826)
//
//   0       2       4   5   6           8             14           18            24
//  +-------+-------+---+---+-----------+-------------+------------+-------------+-----------+
//  | HTYPE | PTYPE | 6 | 4 | operation | sender MAC  | sender IP  | target MAC  | target IP |
//  +-------+-------+---+---+-----------+-------------+------------+-------------+-----------+

/// Field offsets of an ARP packet for IPv4 over Ethernet.
public enum ARP {
    public static let hardwareType = 0
    public static let protocolType = 2
    public static let hardwareLength = 4
    public static let protocolLength = 5
    public static let operation = 6
    public static let senderMAC = 8
    public static let senderIP = 14
    public static let targetMAC = 18
    public static let targetIP = 24
    public static let length = 28

    public static let request: UInt16 = 1
    public static let reply: UInt16 = 2

    /// The fixed part says IPv4 over Ethernet. `length` bytes must be readable.
    @inlinable @inline(__always)
    public static func isIPv4OverEthernet(_ packet: UnsafeRawPointer) -> Bool {
        // 0001 0800 06 04
        packet.load32(hardwareType) == 0x0001_0800 && packet.load16(hardwareLength) == 0x0604
    }
}
