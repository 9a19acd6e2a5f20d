public import Wire

/// Who has which address on the lab's underlay: 172.31.0.0/20 and, if asked for, fd00::/64.
///
/// The first host is 172.31.0.10 and fd00::10 (the decimal number, written as it stands), the
/// next .11. Like a VPC, 172.31.0.1 is kept for a router.
public enum UnderlayPlan {
    /// The underlay's IPv4 prefix length.
    public static let prefixLength4 = 20
    /// The underlay's IPv6 prefix length.
    public static let prefixLength6 = 64
    /// How many hosts fit below 172.31.0.255.
    public static let hostLimit = 245

    /// The IPv4 address of host `index`, from 0.
    public static func address4(ofHost index: Int) -> IPv4Address {
        IPv4Address(bits: 0xac1f_0000 | UInt32(number(ofHost: index)))
    }

    /// The IPv6 address of host `index`, from 0.
    public static func address6(ofHost index: Int) -> IPv6Address {
        let number = UInt64(number(ofHost: index))
        let decimalAsHexadecimal = ((number / 100) << 8) | ((number / 10 % 10) << 4) | (number % 10)
        return IPv6Address(high: 0xfd00 << 48, low: decimalAsHexadecimal)
    }

    private static func number(ofHost index: Int) -> Int {
        precondition((0..<hostLimit).contains(index), "a lab has up to \(hostLimit) hosts")
        return 10 + index
    }

    /// A locally administered MAC that shows the IPv4 address it is of: 02:00 and its octets.
    public static func mac(for address: IPv4Address) -> MACAddress {
        MACAddress(bits: 0x0200_0000_0000 | UInt64(address.bits))
    }
}
