// Cutting a superframe (TSO, USO) into the frames that go on the wire.
//
// A port hands over up to 64 KiB of one TCP stream, or of equal UDP datagrams, behind one set of
// headers. What leaves is a train of messages, each with headers of its own:
//
//   superframe   [Ethernet|IP|TCP][ payload 0 ][ payload 1 ][ payload 2 ]
//                        |              ^            ^            ^
//                        | copied,      |            |            |     by reference, no copy
//                        v patched      |            |            |
//   scratch      [VXLAN|Ethernet|IP|TCP]|            |            |
//                [VXLAN|Ethernet|IP|TCP]-------------'            |
//                [VXLAN|Ethernet|IP|TCP]--------------------------'
//
// Per segment this costs a copy of about 60 bytes and one pass over the payload for its checksum.
// What is the same for all segments is summed once, in `SegmentPlan.make`.

public import Glibc
public import Wire

/// Why a frame that claims to be a superframe is not cut. All of these are the sender's doing.
public enum SegmentRefusal: UInt8, Error, Sendable, CaseIterable {
    /// No segmentation type of virtio 1.2 that Weft offers to ports (TCP, UDP); UFO is not.
    case unknownType
    /// The type says another protocol than the headers do, or the headers can not be read.
    case protocolMismatch
    /// A fragment can not carry a superframe.
    case fragment
    /// The TCP data offset points outside, or the headers are longer than
    /// `SegmentPlan.maximumHeaderLength`.
    case headerLength
    /// The checksum that is to be completed is not that of the transport header.
    case checksumOffset
    /// An IPv6 routing header: the pseudo-header's destination is not in the IP header.
    case routingHeader
    /// No segment size, one below what a TCP stack sends, or one that IP can not carry.
    case segmentSize
    /// More datagrams than a UDP superframe may have.
    case tooManySegments
}

/// How one superframe is to be cut: the result of validating it, and what its segments share.
///
/// It refers to the frame's memory, which must stay as it is for as long as the plan, and the
/// vectors it wrote, are used.
public struct SegmentPlan {
    /// Ethernet to the end of the transport header. Tags, IPv4 and TCP options at their longest
    /// take 142 bytes; the rest is room for IPv6 extension headers.
    public static let maximumHeaderLength = 184
    /// Scratch bytes that one segment takes at most.
    @inlinable public static var scratchLength: Int { VXLAN.headerLength + maximumHeaderLength }
    /// Messages in one UDP_SEGMENT train (UDP_MAX_SEGMENTS of the kernels before 6.9; later
    /// ones take 128).
    public static let trainLimit = 64
    /// Datagrams in a UDP superframe: the kernel's own bound (UDP_MAX_SEGMENTS).
    static let datagramLimit = 128
    /// The smallest TCP payload that leaves room for all options in the smallest segment of RFC
    /// 9293; without a bound one hostile write would become 65535 frames.
    static let minimumTCPSegment = 8

    /// Bytes from the Ethernet header to the end of the transport header.
    public let headerLength: Int
    /// Payload bytes of every segment but the last.
    public let segmentSize: Int
    /// All payload bytes.
    public let payloadLength: Int
    /// Segments, 1 or more.
    public let count: Int

    let frame: UnsafeRawPointer
    let networkOffset: Int
    let transportOffset: Int
    let isIPv6: Bool
    let isTCP: Bool
    /// IPv4: the header's sum without total length, identification and checksum.
    let networkSum: UInt64
    /// The sum of the pseudo-header without the length, and of the transport header without what
    /// differs from segment to segment.
    let transportSum: UInt64

    /// The longest segment as a frame, in bytes: what must fit the network's MTU and 14 bytes.
    public var longestFrame: Int { headerLength &+ min(segmentSize, payloadLength) }

    /// Bytes of all segments as frames.
    public var wireBytes: Int { headerLength &* count &+ payloadLength }

    /// Segments that fit into one UDP_SEGMENT train whose messages carry a VXLAN header: at most
    /// `trainLimit`, and `limit` bytes together (65507 over IPv4, 65527 over IPv6). At least 1.
    public func segmentsPerTrain(limit: Int) -> Int {
        max(1, min(Self.trainLimit, limit / (VXLAN.headerLength &+ headerLength &+ segmentSize)))
    }
}

// MARK: Validation

extension SegmentPlan {
    /// Validates a superframe against its virtio header.
    ///
    /// Everything is taken from the headers themselves. Of the virtio header only the type and the
    /// segment size count; its `headerLength` is a hint that forwarded frames fill with something
    /// else. Trailing bytes behind the IP packet are not sent.
    /// - Parameter layout: of this frame. Its offsets are inside the frame, that is all that the
    ///   bounds here rest on.
    public static func make(
        _ frame: UnsafeRawPointer, _ layout: FrameLayout, _ virtio: VirtioHeader
    ) throws(SegmentRefusal) -> SegmentPlan {
        let isTCP = try transportIsTCP(layout, virtio)
        let isIPv6 = layout.network == .ipv6
        let network = Int(layout.networkOffset)
        let transport = Int(layout.transportOffset)
        if isIPv6, hasRoutingHeader(frame, network, transport) { throw .routingHeader }
        if virtio.needsChecksum {
            let field = isTCP ? TCP.checksum : UDP.checksum
            guard Int(virtio.checksumStart) == transport, Int(virtio.checksumOffset) == field
            else { throw .checksumOffset }
        }
        let transportLength =
            isTCP ? Int(frame.load8(transport &+ TCP.dataOffset) >> 4) &* 4 : UDP.headerLength
        let headerLength = transport &+ transportLength
        guard transportLength >= (isTCP ? TCP.minimumHeaderLength : UDP.headerLength),
            headerLength <= layout.packetEnd, headerLength <= maximumHeaderLength
        else { throw .headerLength }
        let payload = layout.packetEnd &- headerLength
        let size = Int(virtio.segmentSize)
        guard size >= (isTCP ? minimumTCPSegment : 1),
            headerLength &- network &+ min(size, payload) <= 0xffff
        else { throw .segmentSize }
        let count = max(1, (payload &+ size &- 1) / size)
        if !isTCP, count > datagramLimit { throw .tooManySegments }
        return SegmentPlan(
            headerLength: headerLength, segmentSize: size, payloadLength: payload, count: count,
            frame: frame, networkOffset: network, transportOffset: transport, isIPv6: isIPv6,
            isTCP: isTCP,
            networkSum: isIPv6 ? 0 : constantSumIPv4(frame + network, transport &- network),
            transportSum: Checksum.pseudoHeader(frame, layout, 0)
                &+ (isTCP
                    ? constantSumTCP(frame + transport, transportLength)
                    : Checksum.sum(frame + transport, UDP.length)))
    }

    /// Whether it is TCP, or else UDP, that is to be cut: type and headers must agree.
    private static func transportIsTCP(
        _ layout: FrameLayout, _ virtio: VirtioHeader
    ) throws(SegmentRefusal) -> Bool {
        typealias Segmentation = VirtioHeader.Segmentation
        let isTCP: Bool
        let network: FrameLayout.Network
        switch virtio.segmentation.rawValue {
        case Segmentation.tcpv4.rawValue, Segmentation.tcpv4.rawValue | Segmentation.ecn:
            (isTCP, network) = (true, .ipv4)
        case Segmentation.tcpv6.rawValue, Segmentation.tcpv6.rawValue | Segmentation.ecn:
            (isTCP, network) = (true, .ipv6)
        case Segmentation.udp.rawValue:
            (isTCP, network) = (false, layout.network)
        default:
            throw .unknownType
        }
        if layout.isFragment { throw .fragment }
        guard layout.network == network, layout.transport == (isTCP ? .tcp : .udp)
        else { throw .protocolMismatch }
        return isTCP
    }

    /// Walks the extension headers that the parse has walked before, so it stays inside.
    private static func hasRoutingHeader(
        _ frame: UnsafeRawPointer, _ network: Int, _ transport: Int
    ) -> Bool {
        var next = frame.load8(network &+ IPv6.nextHeader)
        var offset = network &+ IPv6.headerLength
        while offset < transport {
            if next == IPv6.Extension.routing { return true }
            next = frame.load8(offset)
            offset &+= (Int(frame.load8(offset &+ 1)) &+ 1) &* 8
        }
        return false
    }

    private static func constantSumIPv4(_ packet: UnsafeRawPointer, _ length: Int) -> UInt64 {
        Checksum.sum(packet, IPv4.totalLength)
            &+ Checksum.sum(packet + IPv4.flagsAndFragment, 4)
            &+ Checksum.sum(packet + IPv4.source, length &- IPv4.source)
    }

    /// All but sequence, flags (with the data offset beside them) and checksum.
    private static func constantSumTCP(_ header: UnsafeRawPointer, _ length: Int) -> UInt64 {
        Checksum.sum(header, TCP.sequence)
            &+ Checksum.sum(header + TCP.acknowledgment, 4)
            &+ Checksum.sum(header + TCP.window, 2)
            &+ Checksum.sum(header + TCP.urgent, length &- TCP.urgent)
    }
}

// MARK: Emitting

extension SegmentPlan {
    /// Writes the headers and the vectors of some of the segments.
    ///
    /// Each segment becomes two vectors: its headers in scratch memory and its payload where it
    /// lies; a segment without payload has the first only. All segments but the superframe's last
    /// have the same length, so the vectors of a whole range are one UDP_SEGMENT train whose
    /// message size is the first segment's.
    /// - Parameters:
    ///   - segments: which ones; what is not in `0..<count` is left out.
    ///   - vxlanHeader: written before each frame (`VXLAN.header`); nil for plain frames, to be
    ///     delivered one by one to a port that takes no superframes.
    ///   - headers: `scratchLength` writable bytes for each segment.
    ///   - vectors: room for two per segment.
    /// - Returns: how many vectors were written, and the bytes that they stand for.
    public func emit(
        _ segments: Range<Int>, vxlanHeader: UInt64?, headers: UnsafeMutableRawPointer,
        vectors: UnsafeMutablePointer<iovec>
    ) -> (vectors: Int, bytes: Int) {
        var scratch = headers
        var used = 0
        var bytes = 0
        for index in segments.clamped(to: 0..<count) {
            let offset = index &* segmentSize
            let length = min(segmentSize, payloadLength &- offset)
            let start = scratch
            if let vxlanHeader {
                scratch.store64(vxlanHeader, 0)
                scratch += VXLAN.headerLength
            }
            // SAFETY: headerLength was checked to lie within the frame and within the scratch
            // slot; offset + length is at most payloadLength, which ends where the packet does.
            scratch.copyMemory(from: frame, byteCount: headerLength)
            patchNetwork(scratch + networkOffset, index, length)
            let payload = frame + headerLength + offset
            patchTransport(scratch + transportOffset, index, payload, length)
            scratch += headerLength
            vectors[used] = iovec(iov_base: start, iov_len: scratch - start)
            used &+= 1
            if length > 0 {
                vectors[used] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: payload), iov_len: length)
                used &+= 1
            }
            bytes &+= (scratch - start) &+ length
        }
        return (used, bytes)
    }

    /// Lengths, and for IPv4 the identification, one up per segment (RFC 6864 wants them unique
    /// where DF is not set, and does not mind where it is), and the header checksum.
    @inline(__always)
    private func patchNetwork(_ packet: UnsafeMutableRawPointer, _ index: Int, _ length: Int) {
        let total = headerLength &- networkOffset &+ length
        if isIPv6 {
            packet.store16(
                UInt16(truncatingIfNeeded: total &- IPv6.headerLength), IPv6.payloadLength)
            return
        }
        let totalLength = UInt16(truncatingIfNeeded: total)
        let identification =
            packet.load16(IPv4.identification) &+ UInt16(truncatingIfNeeded: index)
        packet.store16(totalLength, IPv4.totalLength)
        packet.store16(identification, IPv4.identification)
        let sum =
            networkSum &+ Checksum.word(totalLength) &+ Checksum.word(identification)
        packet.store16(~Checksum.fold(sum), IPv4.checksum)
    }

    @inline(__always)
    private func patchTransport(
        _ header: UnsafeMutableRawPointer, _ index: Int, _ payload: UnsafeRawPointer, _ length: Int
    ) {
        let total = UInt32(truncatingIfNeeded: headerLength &- transportOffset &+ length)
        var sum = Checksum.sum(payload, length, transportSum &+ Checksum.word(total))
        if isTCP {
            let sequence =
                header.load32(TCP.sequence)
                &+ UInt32(truncatingIfNeeded: index &* segmentSize)
            header.store32(sequence, TCP.sequence)
            header.store8(flags(header.load8(TCP.flags), index), TCP.flags)
            sum &+=
                Checksum.word(sequence)
                &+ Checksum.word(header.load16(TCP.dataOffset))
            header.store16(~Checksum.fold(sum), TCP.checksum)
        } else {
            let udpLength = UInt16(truncatingIfNeeded: total)
            header.store16(udpLength, UDP.length)
            let checksum = ~Checksum.fold(sum &+ Checksum.word(udpLength))
            // RFC 768: zero means none, its other representation is all ones.
            header.store16(checksum == 0 ? 0xffff : checksum, UDP.checksum)
        }
    }

    /// FIN and PSH say something of the last byte, CWR (RFC 3168 section 6.1.2) is said once.
    @inline(__always)
    private func flags(_ flags: UInt8, _ index: Int) -> UInt8 {
        var flags = flags
        if index != count &- 1 { flags &= ~(TCP.Flag.fin | TCP.Flag.psh) }
        if index != 0 { flags &= ~TCP.Flag.cwr }
        return flags
    }
}
