// VXLAN (RFC 7348 section 5)
//
//   0                               4                       7
//  +-------------------------------+-----------------------+-------+
//  |R R R R I R R R  reserved (24) | VNI (24)              | res.  |
//  +-------------------------------+-----------------------+-------+

/// The VXLAN header: eight bytes between the outer UDP header and the inner frame.
public enum VXLAN {
    public static let flags = 0
    public static let vni = 4
    public static let headerLength = 8
    public static let port: UInt16 = 4789
    /// The I flag: the VNI is valid. All other bits are reserved and ignored on receipt.
    public static let vniValid: UInt8 = 0x08
    /// VNIs are numbers of 24 bits.
    public static let vniLimit: UInt32 = 1 << 24

    /// The whole header as one number to store big-endian.
    @inlinable @inline(__always)
    public static func header(vni: UInt32) -> UInt64 {
        0x0800_0000_0000_0000 | UInt64(vni) << 8
    }

    /// The VNI of a header, nil if the I flag is not set. Eight bytes must be readable.
    @inlinable @inline(__always)
    public static func vni(at header: UnsafeRawPointer) -> UInt32? {
        header.load8(flags) & vniValid != 0 ? header.load32(vni) >> 8 : nil
    }
}
