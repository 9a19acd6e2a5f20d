/// A 48-bit Ethernet address (IEEE 802-2014 section 8).
@frozen
public struct MACAddress: Hashable, Sendable {
    /// The six octets as a number below 2^48; the first octet on the wire is the most significant.
    public let bits: UInt64

    /// Takes the low 48 bits.
    @inlinable @inline(__always)
    public init(bits: UInt64) {
        self.bits = bits & 0xffff_ffff_ffff
    }

    /// Reads six octets. The caller answers for six readable bytes.
    @inlinable @inline(__always)
    public init(at bytes: UnsafeRawPointer) {
        bits = UInt64(bytes.load16(0)) << 32 | UInt64(bytes.load32(2))
    }

    /// Writes six octets. The caller answers for six writable bytes.
    @inlinable @inline(__always)
    public func store(at bytes: UnsafeMutableRawPointer) {
        bytes.store16(UInt16(truncatingIfNeeded: bits >> 32), 0)
        bytes.store32(UInt32(truncatingIfNeeded: bits), 2)
    }

    @inlinable public static var broadcast: MACAddress { MACAddress(bits: 0xffff_ffff_ffff) }
    @inlinable public static var zero: MACAddress { MACAddress(bits: 0) }

    /// Group addressed: multicast or broadcast (the I/G bit of the first octet).
    @inlinable @inline(__always)
    public var isMulticast: Bool { bits & 0x0100_0000_0000 != 0 }

    @inlinable @inline(__always)
    public var isBroadcast: Bool { bits == 0xffff_ffff_ffff }

    /// An octet in the order of the wire, `index` 0...5.
    @inlinable
    public func octet(_ index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * index))
    }
}

extension MACAddress: LosslessStringConvertible {
    /// Parses `02:00:0a:00:00:01` (also with `-`); nil for anything else.
    public init?(_ text: String) {
        let separator: Character = text.contains("-") ? "-" : ":"
        let groups = text.split(separator: separator, omittingEmptySubsequences: false)
        guard groups.count == 6 else { return nil }
        var bits: UInt64 = 0
        for group in groups {
            guard group.utf8.count == 2, let octet = UInt8(group, radix: 16), !group.hasPrefix("+")
            else { return nil }
            bits = bits << 8 | UInt64(octet)
        }
        self.init(bits: bits)
    }

    public var description: String {
        (0..<6).map { hexPair(octet($0)) }.joined(separator: ":")
    }
}

private func hexPair(_ octet: UInt8) -> String {
    let digits = String(octet, radix: 16)
    return digits.utf8.count == 2 ? digits : "0" + digits
}
