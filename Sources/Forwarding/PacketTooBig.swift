// PacketTooBig: a frame that the path does not take. Where the network has a gateway address, the
// sender is told the largest packet that fits, from that address: ICMP fragmentation needed
// (RFC 792, RFC 1191) or ICMPv6 packet too big (RFC 4443 section 3.2). Otherwise it is a drop.

import Wire

/// Field offsets of ICMP and ICMPv6 messages.
enum ICMP {
    static let headerLength = 8
    static let checksum = 2

    /// Stores the checksum of an ICMPv6 message that stands right behind its IPv6 header.
    static func storeChecksumV6(_ packet: UnsafeMutableRawPointer, messageLength: Int) {
        let message = packet + IPv6.headerLength
        message.store16(0, checksum)
        var sum = UInt64(messageLength) + UInt64(IPProtocol.icmpv6.rawValue)
        for offset in stride(from: IPv6.source, to: IPv6.headerLength, by: 2) {
            sum += UInt64(packet.load16(offset))
        }
        message.store16(finish(message, messageLength, sum), checksum)
    }

    /// The checksum of `length` bytes, big-endian words, on top of a sum.
    static func finish(_ bytes: UnsafeMutableRawPointer, _ length: Int, _ initial: UInt64)
        -> UInt16
    {
        var sum = initial
        for offset in stride(from: 0, to: length & ~1, by: 2) {
            sum += UInt64(bytes.load16(offset))
        }
        if length % 2 == 1 { sum += UInt64(bytes.load8(length - 1)) << 8 }
        while sum >> 16 != 0 { sum = (sum & 0xffff) + (sum >> 16) }
        return ~UInt16(sum)
    }
}

enum PacketTooBig {
    /// Bytes of the packet that an ICMP error quotes: enough for the transport header behind any
    /// options, small enough for every path (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c)).
    private static let quoteIPv4 = 548
    private static let quoteIPv6 = 1280 - 40 - 8

    /// Rewrites the frame in place as the message to its sender, or gives the drop.
    static func answer(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, limit: Int,
        network: UnsafePointer<NetworkEntry>
    ) -> Verdict {
        let mtu = limit - Int(layout.networkOffset)
        // RFC 791: every path takes 68 bytes. Less is no path (a peer that is being removed).
        guard mtu >= 68 else { return .drop(.tooBig) }
        let length: Int? =
            switch layout.network {
            case .ipv4: answerIPv4(frame, layout, mtu, network.pointee.gateway)
            case .ipv6: answerIPv6(frame, layout, mtu, network.pointee.gatewayIPv6)
            default: nil
            }
        guard let length else { return .drop(.tooBig) }
        // It goes back to where it came from, from the MAC that it was sent to: the gateway's, or
        // that of the station whom the gateway answers for.
        let source = MACAddress(at: frame + Ethernet.source)
        MACAddress(at: frame + Ethernet.destination).store(at: frame + Ethernet.source)
        source.store(at: frame + Ethernet.destination)
        return .reply(length: UInt16(truncatingIfNeeded: Int(layout.networkOffset) + length))
    }

    private static func answerIPv4(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ mtu: Int,
        _ gateway: IPv4Address
    ) -> Int? {
        let packet = frame + Int(layout.networkOffset)
        let source = packet.load32(IPv4.source)
        // RFC 1122 section 3.2.2: not for later fragments, errors, packets for many, or senders
        // that are no single host (0.0.0.0, loopback, multicast and above).
        guard gateway != .any, packet.load16(IPv4.flagsAndFragment) & IPv4.offsetMask == 0,
            source != 0, source >> 24 != 127, source < 0xe000_0000,
            packet.load32(IPv4.destination) < 0xe000_0000, !isErrorICMPv4(frame, layout)
        else { return nil }
        let quoted = min(layout.packetEnd - Int(layout.networkOffset), quoteIPv4)
        let message = packet + IPv4.minimumHeaderLength
        (message + ICMP.headerLength).copyMemory(from: packet, byteCount: quoted)
        let total = IPv4.minimumHeaderLength + ICMP.headerLength + quoted
        packet.store32(0x45c0_0000 | UInt32(total), 0)
        packet.store32(0, IPv4.identification)
        packet.store32(0x4001_0000, IPv4.ttl)
        packet.store32(gateway.bits, IPv4.source)
        packet.store32(source, IPv4.destination)
        packet.store16(ICMP.finish(packet, IPv4.minimumHeaderLength, 0), IPv4.checksum)
        message.store32(0x0304_0000, 0)
        message.store32(UInt32(mtu), 4)
        message.store16(ICMP.finish(message, ICMP.headerLength + quoted, 0), ICMP.checksum)
        return total
    }

    private static func answerIPv6(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ mtu: Int,
        _ gateway: IPv6Address
    ) -> Int? {
        let packet = frame + Int(layout.networkOffset)
        let source = IPv6Address(at: packet + IPv6.source)
        guard gateway != .any, source != .any, !source.isMulticast,
            !isErrorICMPv6(frame, layout)
        else { return nil }
        let quoted = min(layout.packetEnd - Int(layout.networkOffset), quoteIPv6)
        let message = packet + IPv6.headerLength
        (message + ICMP.headerLength).copyMemory(from: packet, byteCount: quoted)
        let messageLength = ICMP.headerLength + quoted
        packet.store32(0x6000_0000, IPv6.versionAndClass)
        packet.store16(UInt16(messageLength), IPv6.payloadLength)
        packet.store8(IPProtocol.icmpv6.rawValue, IPv6.nextHeader)
        packet.store8(64, IPv6.hopLimit)
        gateway.store(at: packet + IPv6.source)
        source.store(at: packet + IPv6.destination)
        message.store32(0x0200_0000, 0)
        message.store32(UInt32(mtu), 4)
        ICMP.storeChecksumV6(packet, messageLength: messageLength)
        return IPv6.headerLength + messageLength
    }

    /// Types that are answers to errors already: never answered with another.
    private static func isErrorICMPv4(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout
    ) -> Bool {
        guard layout.transport == .icmp else { return false }
        let type = frame.load8(Int(layout.transportOffset))
        return type == 3 || type == 4 || type == 5 || type == 11 || type == 12
    }

    private static func isErrorICMPv6(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout
    ) -> Bool {
        layout.transport == .icmpv6 && frame.load8(Int(layout.transportOffset)) < 128
    }
}
