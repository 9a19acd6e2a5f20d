public import Wire

/// Builds frames byte by byte, with right lengths and checksums, for tests.
///
/// It shares the address types and nothing else with the code under test: offsets are written
/// out, and the checksum is the naive one below. A builder holds what frames of one conversation
/// have in common; change a field of a copy for what differs:
///
///     var builder = FrameBuilder()
///     builder.tags = [100]
///     let frame = builder.tcp(sequence: 1000, payload: payloadBytes(1448))
public struct FrameBuilder: Sendable {
    /// 02:00:00:00:00:02 unless changed.
    public var destinationMAC = MACAddress(bits: 0x0200_0000_0002)
    /// 02:00:00:00:00:01 unless changed.
    public var sourceMAC = MACAddress(bits: 0x0200_0000_0001)
    /// VLAN tags, outermost first: the sixteen bits after 0x8100.
    public var tags: [UInt16] = []

    /// Of the same family as `destination`, which is the frame's.
    public var source = IPAddress.v4(IPv4Address(bits: 0x0a00_0001))
    /// Of the same family as `source`.
    public var destination = IPAddress.v4(IPv4Address(bits: 0x0a00_0002))
    /// TOS or traffic class, with the ECN bits.
    public var tos: UInt8 = 0
    /// TTL or hop limit.
    public var ttl: UInt8 = 64
    /// IPv4 only.
    public var identification: UInt16 = 0
    /// IPv4 only.
    public var dontFragment = true
    /// IPv4 only: a multiple of four bytes.
    public var ipv4Options: [UInt8] = []
    /// IPv6 only.
    public var flowLabel: UInt32 = 0

    /// TCP and UDP.
    public var sourcePort: UInt16 = 40000
    /// TCP and UDP.
    public var destinationPort: UInt16 = 5201

    /// The same as `ipv4`.
    public init() {}

    /// From 10.0.0.1 to 10.0.0.2.
    public static let ipv4 = FrameBuilder()

    /// From fd00::1 to fd00::2.
    public static let ipv6: FrameBuilder = {
        var builder = FrameBuilder()
        builder.source = .v6(IPv6Address(high: 0xfd00 << 48, low: 1))
        builder.destination = .v6(IPv6Address(high: 0xfd00 << 48, low: 2))
        return builder
    }()

    /// The family of `source`.
    public var isIPv6: Bool { source.isIPv6 }

    /// What a transport checksum field is to hold.
    public enum ChecksumField: Sendable {
        case right
        /// One bit off.
        case wrong
        /// Zero.
        case absent
        /// The folded sum of the pseudo-header, as a sender leaves it that sets NEEDS_CSUM.
        case partial
    }

    // MARK: Layers

    /// An Ethernet frame, tags included.
    public func ethernet(type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        var frame = bytes(of: destinationMAC) + bytes(of: sourceMAC)
        for tag in tags { frame += be16(0x8100) + be16(tag) }
        return frame + be16(type) + payload
    }

    /// A frame with one IP packet. IPv4 total length and IPv6 payload length wrap around where
    /// the payload does not fit, as a superframe's may.
    public func ip(proto: UInt8, _ payload: [UInt8], fragment: UInt16 = 0) -> [UInt8] {
        if isIPv6 { return ethernet(type: 0x86dd, ipv6Header(proto, payload.count) + payload) }
        var header: [UInt8] = [0x45 + UInt8(ipv4Options.count / 4), tos]
        header += be16(UInt16(truncatingIfNeeded: 20 + ipv4Options.count + payload.count))
        header += be16(identification) + be16(fragment | (dontFragment ? 0x4000 : 0))
        header += [ttl, proto, 0, 0] + octets(source) + octets(destination) + ipv4Options
        header.replaceSubrange(10..<12, with: be16(~naiveSum(header)))
        return ethernet(type: 0x0800, header + payload)
    }

    private func ipv6Header(_ next: UInt8, _ length: Int) -> [UInt8] {
        be32(6 << 28 | UInt32(tos) << 20 | flowLabel) + be16(UInt16(truncatingIfNeeded: length))
            + [next, ttl] + octets(source) + octets(destination)
    }

    /// A TCP frame. `options` is a multiple of four bytes.
    public func tcp(
        sequence: UInt32 = 1, acknowledgment: UInt32 = 1, flags: UInt8 = 0x10,
        window: UInt16 = 512, options: [UInt8] = [], payload: [UInt8] = [],
        checksum: ChecksumField = .right
    ) -> [UInt8] {
        var segment = be16(sourcePort) + be16(destinationPort) + be32(sequence)
        segment += be32(acknowledgment) + [UInt8(5 + options.count / 4) << 4, flags]
        segment += be16(window) + [0, 0, 0, 0] + options + payload
        return ip(proto: 6, finish(&segment, proto: 6, at: 16, checksum))
    }

    /// A UDP frame.
    public func udp(payload: [UInt8] = [], checksum: ChecksumField = .right) -> [UInt8] {
        var datagram = be16(sourcePort) + be16(destinationPort)
        datagram += be16(UInt16(truncatingIfNeeded: 8 + payload.count)) + [0, 0] + payload
        return ip(proto: 17, finish(&datagram, proto: 17, at: 6, checksum))
    }

    /// An ICMP echo request, or reply (type 0).
    public func icmpEcho(
        type: UInt8 = 8, identifier: UInt16 = 1, sequence: UInt16 = 1, payload: [UInt8] = []
    ) -> [UInt8] {
        var message = [type, 0, 0, 0] + be16(identifier) + be16(sequence) + payload
        message.replaceSubrange(2..<4, with: be16(~naiveSum(message)))
        return ip(proto: 1, message)
    }

    /// An ICMPv6 message: `body` is what follows the checksum.
    public func icmpv6(
        type: UInt8, code: UInt8 = 0, body: [UInt8], checksum: ChecksumField = .right
    ) -> [UInt8] {
        var message = [type, code, 0, 0] + body
        return ip(proto: 58, finish(&message, proto: 58, at: 2, checksum))
    }

    /// Neighbor Solicitation (RFC 4861 section 4.3). Set `destination`, `destinationMAC` and
    /// `ttl` (255 is what receivers demand) on the builder.
    public func neighborSolicitation(
        target: IPv6Address, sourceLinkLayer: MACAddress? = nil
    ) -> [UInt8] {
        icmpv6(type: 135, body: [0, 0, 0, 0] + octets(.v6(target)) + option(1, sourceLinkLayer))
    }

    /// Neighbor Advertisement (RFC 4861 section 4.4). `flags`: R 0x80, S 0x40, O 0x20.
    public func neighborAdvertisement(
        target: IPv6Address, flags: UInt8 = 0x60, targetLinkLayer: MACAddress? = nil
    ) -> [UInt8] {
        icmpv6(
            type: 136, body: [flags, 0, 0, 0] + octets(.v6(target)) + option(2, targetLinkLayer))
    }

    /// An ARP packet for IPv4: operation 1 asks, 2 answers.
    public func arp(
        operation: UInt16, senderMAC: MACAddress, senderIP: IPv4Address, targetMAC: MACAddress,
        targetIP: IPv4Address
    ) -> [UInt8] {
        let fixed: [UInt8] = [0, 1, 8, 0, 6, 4]
        return ethernet(
            type: 0x0806,
            fixed + be16(operation) + bytes(of: senderMAC) + be32(senderIP.bits)
                + bytes(of: targetMAC) + be32(targetIP.bits))
    }

    private func option(_ type: UInt8, _ address: MACAddress?) -> [UInt8] {
        address.map { [type, 1] + bytes(of: $0) } ?? []
    }

    /// Puts the checksum into a transport header whose field is zero.
    private func finish(
        _ segment: inout [UInt8], proto: UInt8, at field: Int, _ checksum: ChecksumField
    ) -> [UInt8] {
        let pseudo =
            octets(source) + octets(destination) + be32(UInt32(segment.count)) + [0, 0, 0, proto]
        let right = ~naiveSum(pseudo + segment)
        // RFC 768: zero would mean none.
        let nonzero = right == 0 && proto == 17 ? 0xffff : right
        let value =
            switch checksum {
            case .right: nonzero
            case .wrong: nonzero ^ 0x0100
            case .absent: UInt16(0)
            case .partial: naiveSum(pseudo)
            }
        segment.replaceSubrange(field..<field + 2, with: be16(value))
        return segment
    }
}

// MARK: Bytes

/// The one's complement sum of sixteen-bit words, most significant byte first, the slow way.
public func naiveSum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for (index, byte) in bytes.enumerated() {
        sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte)
        if sum > 0xffff { sum -= 0xffff }
    }
    return UInt16(sum)
}

/// Two bytes, most significant first.
public func be16(_ value: UInt16) -> [UInt8] {
    [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
}

/// Four bytes, most significant first.
public func be32(_ value: UInt32) -> [UInt8] {
    be16(UInt16(value >> 16)) + be16(UInt16(truncatingIfNeeded: value))
}

/// Six bytes.
public func bytes(of mac: MACAddress) -> [UInt8] { (0..<6).map(mac.octet) }

/// Four or sixteen bytes.
public func octets(_ address: IPAddress) -> [UInt8] {
    switch address {
    case .v4(let v4): be32(v4.bits)
    case .v6(let v6):
        [v6.high, v6.low].flatMap {
            be32(UInt32($0 >> 32)) + be32(UInt32(truncatingIfNeeded: $0))
        }
    }
}

/// `count` bytes that repeat only after a long while, so that a misplaced piece shows.
public func payloadBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return generator.bytes(count)
}
