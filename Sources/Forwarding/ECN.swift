public import Wire

/// Congestion marks across the tunnel (RFC 6040, normal mode).
public enum ECN {
    @inlinable static var mask: UInt8 { 0x03 }
    static let notCapable: UInt8 = 0x00
    static let capable1: UInt8 = 0x01
    static let capable0: UInt8 = 0x02
    static let experienced: UInt8 = 0x03

    /// The mark that the outer header gets: the inner one's (section 4.1). 0 for what is not IP.
    @inlinable @inline(__always)
    public static func encapsulate(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> UInt8 {
        let packet = frame + Int(layout.networkOffset)
        return switch layout.network {
        case .ipv4: packet.load8(IPv4.tos) & mask
        case .ipv6: UInt8(truncatingIfNeeded: packet.load16(IPv6.versionAndClass) >> 4) & mask
        default: 0
        }
    }

    /// Carries the outer mark into the frame by the table of section 4.2. False: the frame must
    /// be dropped, for it is marked and its sender does not understand marks.
    @inline(__always)
    static func decapsulate(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, outer: UInt8
    ) -> Bool {
        // Most datagrams are not marked; then the inner mark stays whatever it is.
        let outer = outer & mask
        guard outer == experienced || outer == capable1 else { return true }
        return carry(frame, layout, outer)
    }

    private static func carry(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ outer: UInt8
    ) -> Bool {
        let inner = encapsulate(frame, layout)
        guard layout.network == .ipv4 || layout.network == .ipv6 else { return true }
        if outer == experienced {
            if inner == notCapable { return false }
            mark(frame, layout, from: inner, to: experienced)
        } else if inner == capable0 {
            mark(frame, layout, from: inner, to: capable1)
        }
        return true
    }

    private static func mark(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, from old: UInt8, to new: UInt8
    ) {
        guard old != new else { return }
        let packet = frame + Int(layout.networkOffset)
        if layout.network == .ipv6 {
            let word = packet.load16(IPv6.versionAndClass)
            packet.store16(word & ~0x0030 | UInt16(new) << 4, IPv6.versionAndClass)
            return
        }
        let word = packet.load16(IPv4.versionAndLength)
        let changed = word & ~0x0003 | UInt16(new)
        packet.store16(changed, IPv4.versionAndLength)
        // RFC 1624: HC' = ~(~HC + ~m + m')
        let sum = UInt32(~packet.load16(IPv4.checksum)) + UInt32(~word) + UInt32(changed)
        let folded = (sum & 0xffff) + (sum >> 16)
        packet.store16(~UInt16(truncatingIfNeeded: folded + (folded >> 16)), IPv4.checksum)
    }
}
