// The Internet checksum (RFC 1071): the one's complement of the one's complement sum of all
// sixteen-bit words. Nothing here is sensitive to the machine's byte order: sums are taken over
// words as they lie in memory, which is the same sum with its bytes swapped, and `fold` swaps
// once at the end. Addition is commutative, so pieces may be summed in any order.
//
// Why plain SIMD and no hand-written AVX2: docs/decisions/0001-checksum.md.

/// The Internet checksum of RFC 1071.
///
/// A partial sum is a `UInt64` in the machine's byte order, not folded. It is exact, not modulo
/// anything, as long as less than 2^32 bytes go into it, so it can not overflow.
public enum Checksum {
    /// Adds `length` bytes to the partial sum `initial`.
    ///
    /// An odd last byte counts as if a zero followed it. So pieces of one message are chained by
    /// passing on the sum, and all but the last must have an even length.
    /// - Parameter bytes: any alignment; `length` bytes must be readable.
    @inlinable
    public static func sum(
        _ bytes: UnsafeRawPointer, _ length: Int, _ initial: UInt64 = 0
    ) -> UInt64 {
        var bytes = bytes
        var left = length
        var sum = initial
        if left >= 64 {
            sum &+= sumBlocks(bytes, left / 64)
            bytes += left & ~63
            left &= 63
        }
        while left >= 8 {
            let word = bytes.loadUnaligned(as: UInt64.self)
            sum &+= (word & 0xffff_ffff) &+ (word >> 32)
            bytes += 8
            left &-= 8
        }
        if left >= 4 {
            sum &+= UInt64(bytes.loadUnaligned(as: UInt32.self))
            bytes += 4
            left &-= 4
        }
        if left >= 2 {
            sum &+= UInt64(bytes.loadUnaligned(as: UInt16.self))
            bytes += 2
            left &-= 2
        }
        if left > 0 { sum &+= UInt64(UInt16(littleEndian: UInt16(bytes.load(as: UInt8.self)))) }
        return sum
    }

    /// Sums `count` blocks of 64 bytes. Words of 32 bits go into lanes of 64, so no carry is ever
    /// lost and none has to be looked at; four accumulators hide the latency of the addition.
    @usableFromInline
    static func sumBlocks(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        typealias Lanes = SIMD2<UInt64>
        let low = Lanes(repeating: 0xffff_ffff)
        let half = Lanes(repeating: 32)
        var a = Lanes.zero
        var b = Lanes.zero
        var c = Lanes.zero
        var d = Lanes.zero
        var bytes = bytes
        var count = count
        while count > 0 {
            let w = bytes.loadUnaligned(as: Lanes.self)
            let x = bytes.loadUnaligned(fromByteOffset: 16, as: Lanes.self)
            let y = bytes.loadUnaligned(fromByteOffset: 32, as: Lanes.self)
            let z = bytes.loadUnaligned(fromByteOffset: 48, as: Lanes.self)
            a &+= (w & low) &+ (w &>> half)
            b &+= (x & low) &+ (x &>> half)
            c &+= (y & low) &+ (y &>> half)
            d &+= (z & low) &+ (z &>> half)
            bytes += 64
            count &-= 1
        }
        let total = a &+ b &+ c &+ d
        return total[0] &+ total[1]
    }

    /// The sum as sixteen bits with end-around carry, as a number for `store16` (not inverted).
    /// 0 only if every summed byte was 0.
    @inlinable @inline(__always)
    public static func fold(_ sum: UInt64) -> UInt16 {
        var folded = (sum & 0xffff_ffff) &+ (sum >> 32)
        folded = (folded & 0xffff) &+ (folded >> 16)
        folded = (folded & 0xffff) &+ (folded >> 16)
        folded = (folded & 0xffff) &+ (folded >> 16)
        return UInt16(truncatingIfNeeded: folded).bigEndian
    }

    /// What a header field of this value adds to a partial sum.
    @inlinable @inline(__always)
    public static func word(_ value: UInt16) -> UInt64 { UInt64(value.bigEndian) }

    /// What a header field of this value, at an even offset, adds to a partial sum.
    @inlinable @inline(__always)
    public static func word(_ value: UInt32) -> UInt64 { UInt64(value.bigEndian) }

    /// A checksum after one field it covers went from `old` to `new` (RFC 1624, equation 3).
    @inlinable @inline(__always)
    public static func update(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        ~fold(word(~checksum) &+ word(~old) &+ word(new))
    }
}

// MARK: Headers

extension Checksum {
    /// The IPv4 header's checksum field: over `headerLength` bytes, the field itself left out.
    @inlinable @inline(__always)
    public static func ipv4Header(_ packet: UnsafeRawPointer, headerLength: Int) -> UInt16 {
        ~fold(sum(packet, IPv4.checksum, ipv4HeaderTail(packet, headerLength)))
    }

    @inlinable @inline(__always)
    static func ipv4HeaderTail(_ packet: UnsafeRawPointer, _ headerLength: Int) -> UInt64 {
        sum(packet + IPv4.source, headerLength &- IPv4.source)
    }

    /// The IPv4 header, its checksum field in it, sums up to all ones.
    @inlinable @inline(__always)
    public static func ipv4HeaderIsValid(_ packet: UnsafeRawPointer, headerLength: Int) -> Bool {
        fold(sum(packet, headerLength)) == 0xffff
    }

    /// The pseudo-header of IPv4 (RFC 9293 section 3.1): addresses, protocol, and the length of
    /// the transport header and payload. `packet` is the IPv4 header.
    @inlinable @inline(__always)
    public static func pseudoIPv4(
        _ packet: UnsafeRawPointer, _ proto: IPProtocol, _ length: Int
    ) -> UInt64 {
        let addresses = packet.loadUnaligned(fromByteOffset: IPv4.source, as: UInt64.self)
        return (addresses & 0xffff_ffff) &+ (addresses >> 32) &+ pseudoTail(proto, length)
    }

    /// The pseudo-header of IPv6 (RFC 8200 section 8.1). `packet` is the IPv6 header.
    @inlinable @inline(__always)
    public static func pseudoIPv6(
        _ packet: UnsafeRawPointer, _ proto: IPProtocol, _ length: Int
    ) -> UInt64 {
        sum(packet + IPv6.source, 32, pseudoTail(proto, length))
    }

    @inlinable @inline(__always)
    static func pseudoTail(_ proto: IPProtocol, _ length: Int) -> UInt64 {
        word(UInt16(proto.rawValue)) &+ word(UInt32(truncatingIfNeeded: length))
    }

    /// The pseudo-header for the transport of a parsed frame, `length` bytes of it. The frame
    /// must have an IP header that the layout could read.
    @inlinable @inline(__always)
    public static func pseudoHeader(
        _ frame: UnsafeRawPointer, _ layout: FrameLayout, _ length: Int
    ) -> UInt64 {
        let packet = frame + Int(layout.networkOffset)
        return layout.network == .ipv6
            ? pseudoIPv6(packet, layout.transport, length)
            : pseudoIPv4(packet, layout.transport, length)
    }
}

// MARK: Frames

extension Checksum {
    /// What the transport checksum of a received frame says.
    @frozen
    public enum Verdict: UInt8, Sendable {
        case valid
        /// The bytes are not the ones that were sent.
        case wrong
        /// UDP over IPv4 without a checksum (RFC 768): nothing to hold against it, nothing to
        /// vouch for it.
        case absent
        /// No TCP, UDP or ICMPv6, a fragment, or behind an IPv6 extension header (with a routing
        /// header, the pseudo-header's destination is not the one of the IP header).
        case unknown
    }

    /// Whether the TCP, UDP or ICMPv6 checksum is there and right.
    @inlinable
    public static func transportIsValid(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> Bool {
        verifyTransport(frame, layout) == .valid
    }

    /// Verifies the checksum of TCP, UDP and ICMPv6.
    @inlinable
    public static func verifyTransport(
        _ frame: UnsafeRawPointer, _ layout: FrameLayout
    ) -> Verdict {
        guard layout.transportOffset != 0, !layout.isFragment else { return .unknown }
        let start = Int(layout.transportOffset)
        let isIPv6 = layout.network == .ipv6
        if isIPv6, start &- Int(layout.networkOffset) != IPv6.headerLength { return .unknown }
        var length = layout.packetEnd &- start
        switch layout.transport {
        case .tcp:
            break
        case .udp:
            let told = Int(frame.load16(start &+ UDP.length))
            guard told >= UDP.headerLength, told <= length else { return .wrong }
            if frame.load16(start &+ UDP.checksum) == 0 { return isIPv6 ? .wrong : .absent }
            length = told
        case .icmpv6 where isIPv6:
            break
        default:
            return .unknown
        }
        let total = sum(frame + start, length, pseudoHeader(frame, layout, length))
        return fold(total) == 0xffff ? .valid : .wrong
    }

    /// Completes the checksum of a frame that its sender left unfinished (NEEDS_CSUM): sums from
    /// `checksumStart` to the frame's end, the field itself holding the pseudo-header's sum, and
    /// stores the complement in the field; 0 becomes 0xffff, as UDP wants and the others allow.
    ///
    /// The two offsets are the sender's word. They must name a field behind the IP header, so
    /// that no sender can have an address rewritten after it has been checked. That it may be a
    /// field behind the transport header is needed by tunnels within the network.
    /// - Returns: false if the offsets are not inside; the frame is then as it was. True if there
    ///   was nothing to complete.
    @inlinable
    public static func complete(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ layout: FrameLayout,
        _ virtio: VirtioHeader
    ) -> Bool {
        guard virtio.needsChecksum else { return true }
        guard canComplete(length, layout, virtio) else { return false }
        let start = Int(virtio.checksumStart)
        let field = start &+ Int(virtio.checksumOffset)
        let checksum = ~fold(sum(frame + start, length &- start))
        frame.store16(checksum == 0 ? 0xffff : checksum, field)
        return true
    }

    /// Whether `complete` would find the two offsets inside; true if there is nothing to complete.
    @inlinable @inline(__always)
    public static func canComplete(
        _ length: Int, _ layout: FrameLayout, _ virtio: VirtioHeader
    ) -> Bool {
        guard virtio.needsChecksum else { return true }
        let start = Int(virtio.checksumStart)
        return start >= endOfNetworkHeader(layout)
            && start &+ Int(virtio.checksumOffset) &+ 2 <= length
    }

    /// The least offset that is not of the network header, as far as the layout knows.
    @inlinable @inline(__always)
    static func endOfNetworkHeader(_ layout: FrameLayout) -> Int {
        if layout.transportOffset != 0 { return Int(layout.transportOffset) }
        let start = Int(layout.networkOffset)
        return switch layout.network {
        case .ipv4: start &+ IPv4.minimumHeaderLength
        case .ipv6: start &+ IPv6.headerLength
        case .arp: start &+ ARP.length
        case .other: start
        }
    }
}
