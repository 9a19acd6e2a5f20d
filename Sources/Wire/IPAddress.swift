import Glibc

/// An IPv4 address (RFC 791), as a number whose most significant byte is the first on the wire.
@frozen
public struct IPv4Address: Hashable, Sendable {
    public let bits: UInt32

    @inlinable @inline(__always)
    public init(bits: UInt32) { self.bits = bits }

    @inlinable public static var any: IPv4Address { IPv4Address(bits: 0) }
}

extension IPv4Address: LosslessStringConvertible {
    /// Parses dotted decimal, four parts, as inet_pton(3) does; nil for anything else.
    public init?(_ text: String) {
        var address = in_addr()
        // C ends a string at NUL; we do not.
        guard !text.utf8.contains(0), inet_pton(AF_INET, text, &address) == 1
        else { return nil }
        self.init(bits: address.s_addr.bigEndian)
    }

    public var description: String {
        "\(bits >> 24).\(bits >> 16 & 0xff).\(bits >> 8 & 0xff).\(bits & 0xff)"
    }
}

/// An IPv6 address (RFC 4291) as two numbers, the first eight bytes on the wire in `high`.
@frozen
public struct IPv6Address: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    @inlinable @inline(__always)
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads sixteen octets. The caller answers for sixteen readable bytes.
    @inlinable @inline(__always)
    public init(at bytes: UnsafeRawPointer) {
        self.init(high: bytes.load64(0), low: bytes.load64(8))
    }

    /// Writes sixteen octets. The caller answers for sixteen writable bytes.
    @inlinable @inline(__always)
    public func store(at bytes: UnsafeMutableRawPointer) {
        bytes.store64(high, 0)
        bytes.store64(low, 8)
    }

    @inlinable public static var any: IPv6Address { IPv6Address(high: 0, low: 0) }

    /// fe80::/10 (RFC 4291 section 2.5.6).
    @inlinable @inline(__always)
    public var isLinkLocal: Bool { high >> 54 == 0xfe80 >> 6 }

    /// ff00::/8 (RFC 4291 section 2.7).
    @inlinable @inline(__always)
    public var isMulticast: Bool { high >> 56 == 0xff }

    /// The link-local address that stateless autoconfiguration makes of a MAC (modified EUI-64,
    /// RFC 4291 appendix A).
    @inlinable @inline(__always)
    public init(linkLocalOf mac: MACAddress) {
        let upper = (mac.bits >> 24) ^ 0x02_0000
        let lower = mac.bits & 0xff_ffff
        self.init(high: 0xfe80 << 48, low: upper << 40 | 0xff_fe00_0000 | lower)
    }
}

extension IPv6Address: LosslessStringConvertible {
    /// Parses any textual form that inet_pton(3) takes; nil for anything else.
    public init?(_ text: String) {
        var address = in6_addr()
        guard !text.utf8.contains(0), inet_pton(AF_INET6, text, &address) == 1
        else { return nil }
        self = withUnsafeBytes(of: address) { IPv6Address(at: $0.baseAddress!) }
    }

    public var description: String {
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) { store(at: $0.baseAddress!) }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) {
            guard inet_ntop(AF_INET6, &address, $0.baseAddress!, socklen_t($0.count)) != nil
            else { return "::" }
            return String(cString: $0.baseAddress!)
        }
    }
}

/// An address of either family.
@frozen
public enum IPAddress: Hashable, Sendable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    public var isIPv6: Bool {
        if case .v6 = self { true } else { false }
    }

    /// Both families in one 128-bit space: IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
    @inlinable @inline(__always)
    public var mapped: IPv6Address {
        switch self {
        case .v4(let address): IPv6Address(mapping: address)
        case .v6(let address): address
        }
    }
}

extension IPv6Address {
    /// ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
    @inlinable @inline(__always)
    public init(mapping address: IPv4Address) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(address.bits))
    }

    /// The IPv4 address within ::ffff:0:0/96, else nil.
    @inlinable @inline(__always)
    public var mappedIPv4: IPv4Address? {
        high == 0 && low >> 32 == 0xffff ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
    }
}

extension IPAddress: LosslessStringConvertible {
    public init?(_ text: String) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }
}
