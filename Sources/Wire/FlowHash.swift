/// A 32-bit hash of the flow that a frame belongs to: what picks the outer source port, and so
/// the path through the underlay and the receiver's queue (RFC 7348 section 4.3).
///
/// Frames of one flow have one hash, a superframe the same as its segments, so nothing in it
/// depends on lengths or on how a flow was cut up. Fragments of one packet stay together because
/// the ports, which only the first has, are left out for all of them.
///
/// It is fast and spreads well, but it is not keyed: who chooses his own ports can choose his
/// bucket. All he wins is to crowd his own flows.
public enum FlowHash {
    /// The hash of: addresses, ports and protocol of TCP and UDP; addresses and protocol of any
    /// other IP and of fragments; MAC addresses and EtherType of the rest.
    @inlinable @inline(__always)
    public static func of(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> UInt32 {
        let packet = frame + Int(layout.networkOffset)
        switch layout.network {
        case .ipv4:
            let proto = UInt64(packet.load8(IPv4.proto))
            return mix(packet.load64(IPv4.source), proto | ports(frame, layout) << 8)
        case .ipv6:
            let source = fold(
                packet.load64(IPv6.source) ^ seed, packet.load64(IPv6.source &+ 8) ^ seed2)
            let destination = fold(
                packet.load64(IPv6.destination) ^ source,
                packet.load64(IPv6.destination &+ 8) ^ seed2)
            let proto = UInt64(packet.load8(IPv6.nextHeader))
            return mix(destination, proto | ports(frame, layout) << 8)
        case .arp, .other:
            let type = UInt64(layout.etherType.rawValue)
            return mix(frame.load64(Ethernet.destination), UInt64(frame.load32(8)) | type << 32)
        }
    }

    /// Both ports in 32 bits; 0 for what has none or must not be told apart by them.
    @inlinable @inline(__always)
    static func ports(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> UInt64 {
        guard !layout.isFragment, layout.transport == .tcp || layout.transport == .udp
        else { return 0 }
        return UInt64(frame.load32(Int(layout.transportOffset)))
    }

    /// Arbitrary odd constants with about as many ones as zeros.
    @inlinable static var seed: UInt64 { 0x9e37_79b9_7f4a_7c15 }
    @inlinable static var seed2: UInt64 { 0xd1b5_4a32_d192_ed03 }

    /// The 128-bit product of two words, its halves folded together: every bit of the result
    /// depends on all bits of both.
    @inlinable @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inlinable @inline(__always)
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt32 {
        let hash = fold(fold(a ^ seed, b ^ seed2), seed)
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
