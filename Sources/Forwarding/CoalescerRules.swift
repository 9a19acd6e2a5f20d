// What may be merged with what.
//
// The test is that cutting a superframe again gives the frames that went into it, but for the
// identification of atomic IPv4 packets. The rules are those of Linux's GRO (tcp_gro_receive,
// udp_gro_receive, inet_gro_receive), with a few that are stricter:
//
//   both   same Ethernet header and tags, addresses and ports: that is the flow. Equal TOS or
//          traffic class (so a CE mark is never spread or lost), TTL or hop limit, DF, flow label.
//          IPv4 without options, IPv6 without extension headers; no fragment. Identifications
//          count up by one, or are all equal where DF is set (RFC 6864). At most 65535 bytes of
//          IP packet. All but the last have the same payload length, the last one may be shorter.
//   TCP    the next sequence number; equal acknowledgment, window and options; flags ACK, with ECE
//          on all or none, and PSH on the last. SYN, FIN, RST, URG and CWR are never merged.
//   UDP    a checksum, and a length field that agrees with the packet's.
//
// The checksums of a frame, IPv4 header and transport, are verified before it is merged, since the
// superframe gets new ones: those of a first frame when a second one wants to join.

import Wire

extension Coalescer {
    /// What a flow's frames are; equal kinds have their fields at equal places.
    enum Kind: UInt8 {
        case tcpv4, tcpv6, udpv4, udpv6

        @inline(__always)
        init(isTCP: Bool, isIPv6: Bool) {
            self = isTCP ? (isIPv6 ? .tcpv6 : .tcpv4) : (isIPv6 ? .udpv6 : .udpv4)
        }

        @inline(__always)
        var isIPv6: Bool { self == .tcpv6 || self == .udpv6 }
        @inline(__always)
        var isTCP: Bool { self == .tcpv4 || self == .tcpv6 }
        @inline(__always)
        var proto: IPProtocol { isTCP ? .tcp : .udp }
        @inline(__always)
        var networkHeaderLength: Int { isIPv6 ? IPv6.headerLength : IPv4.minimumHeaderLength }
        @inline(__always)
        var frameLimit: UInt32 {
            UInt32(isTCP ? Coalescer.frameLimit : Coalescer.datagramLimit)
        }
    }

    /// A frame that belongs to a flow, as far as merging is concerned.
    struct Segment {
        let frame: UnsafeMutableRawPointer
        let port: UInt32
        let kind: Kind
        let network: Int
        let transport: Int
        /// End of the IP packet.
        let end: Int
        /// Ethernet to the end of the transport header; 0 if it can not be merged.
        let headerLength: Int

        /// nil for a frame of no flow that is ever merged.
        @inline(__always)
        init?(
            _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, port: UInt32,
            takesUDPSuperframes: Bool
        ) {
            let isTCP = layout.transport == .tcp
            guard isTCP || (takesUDPSuperframes && layout.transport == .udp), !layout.isFragment
            else { return nil }
            self.frame = frame
            self.port = port
            kind = Kind(isTCP: isTCP, isIPv6: layout.network == .ipv6)
            network = Int(layout.networkOffset)
            transport = Int(layout.transportOffset)
            end = layout.packetEnd
            headerLength = Self.mergeableHeaderLength(frame, kind, network, transport, end)
        }

        @inline(__always)
        var isMergeable: Bool { headerLength != 0 }
        @inline(__always)
        var payload: Int { end &- headerLength }
        @inline(__always)
        var isPush: Bool {
            kind.isTCP && frame.load8(transport &+ TCP.flags) & TCP.Flag.psh != 0
        }
        @inline(__always)
        var sequence: UInt32 { kind.isTCP ? frame.load32(transport &+ TCP.sequence) : 0 }

        /// Others may be merged into it: there is no end of a message in it, and its payload makes
        /// a segment size that kernels take (8 bytes and more).
        @inline(__always)
        var mayOpen: Bool { isMergeable && payload >= 8 && payload <= 0xffff && !isPush }

        @inline(__always)
        var isIntact: Bool {
            Self.isIntact(frame, kind, network: network, transport: transport, end: end)
        }

        /// The header's length if the frame alone has nothing that forbids merging it, else 0.
        @inline(__always)
        private static func mergeableHeaderLength(
            _ frame: UnsafeMutableRawPointer, _ kind: Kind, _ network: Int, _ transport: Int,
            _ end: Int
        ) -> Int {
            guard transport &- network == kind.networkHeaderLength else { return 0 }
            let told =
                kind.isIPv6
                ? Int(frame.load16(network &+ IPv6.payloadLength)) &+ IPv6.headerLength
                : Int(frame.load16(network &+ IPv4.totalLength))
            guard told == end &- network else { return 0 }
            return kind.isTCP
                ? mergeableTCP(frame, transport, end) : mergeableUDP(frame, transport, end)
        }

        @inline(__always)
        private static func mergeableTCP(
            _ frame: UnsafeMutableRawPointer, _ transport: Int, _ end: Int
        ) -> Int {
            let length = Int(frame.load8(transport &+ TCP.dataOffset) >> 4) &* 4
            let flags = frame.load8(transport &+ TCP.flags)
            guard length >= TCP.minimumHeaderLength, transport &+ length < end,
                flags & ~(TCP.Flag.psh | TCP.Flag.ece) == TCP.Flag.ack
            else { return 0 }
            return transport &+ length
        }

        @inline(__always)
        private static func mergeableUDP(
            _ frame: UnsafeMutableRawPointer, _ transport: Int, _ end: Int
        ) -> Int {
            let length = end &- transport
            guard length > UDP.headerLength,
                Int(frame.load16(transport &+ UDP.length)) == length,
                frame.load16(transport &+ UDP.checksum) != 0
            else { return 0 }
            return transport &+ UDP.headerLength
        }

        /// The IPv4 header's and the transport's checksum are right.
        @inline(__always)
        static func isIntact(
            _ frame: UnsafeMutableRawPointer, _ kind: Kind, network: Int, transport: Int, end: Int
        ) -> Bool {
            let packet = frame + network
            let length = end &- transport
            let pseudo: UInt64
            if kind.isIPv6 {
                pseudo = Checksum.pseudoIPv6(packet, kind.proto, length)
            } else {
                guard
                    Checksum.ipv4HeaderIsValid(packet, headerLength: IPv4.minimumHeaderLength)
                else { return false }
                pseudo = Checksum.pseudoIPv4(packet, kind.proto, length)
            }
            return Checksum.fold(Checksum.sum(frame + transport, length, pseudo)) == 0xffff
        }
    }
}

// MARK: An item and the next frame

extension Coalescer {
    /// An item as it grows. What it says of headers is of its first frame.
    struct Entry {
        enum State: UInt8 {
            /// Takes no more frames.
            case closed
            /// One frame, whose checksums have not been looked at.
            case unverified
            case verified
        }

        /// Indices of frames.
        var first: UInt32
        var last: UInt32
        var count: UInt32 = 1
        let port: UInt32
        /// The first frame's packet without padding, as a length of the frame.
        var packetEnd: UInt32 = 0
        /// Payload of all frames.
        var payload: UInt32 = 0
        /// TCP: the sequence number that continues it.
        var nextSequence: UInt32 = 0
        /// Payload of each frame but the last.
        var segmentSize: UInt16 = 0
        var network: UInt16 = 0
        var transport: UInt16 = 0
        var headerLength: UInt16 = 0
        var kind = Kind.tcpv4
        var state = State.closed
        /// IPv4: all identifications are equal; meaningless for one frame.
        var hasFixedIdentification = false
        /// TCP: the last frame has PSH.
        var isPushed = false

        @inline(__always)
        init(frame: UInt32, port: UInt32) {
            first = frame
            last = frame
            self.port = port
        }

        /// Lets others be merged into this item of one frame.
        @inline(__always)
        mutating func begin(_ segment: Segment) {
            packetEnd = UInt32(truncatingIfNeeded: segment.end)
            payload = UInt32(truncatingIfNeeded: segment.payload)
            nextSequence = segment.sequence &+ payload
            segmentSize = UInt16(truncatingIfNeeded: segment.payload)
            network = UInt16(truncatingIfNeeded: segment.network)
            transport = UInt16(truncatingIfNeeded: segment.transport)
            headerLength = UInt16(truncatingIfNeeded: segment.headerLength)
            kind = segment.kind
            state = .unverified
        }

        /// Takes in a frame that continues it.
        @inline(__always)
        mutating func append(_ segment: Segment, _ frame: UInt32) {
            let length = UInt32(truncatingIfNeeded: segment.payload)
            last = frame
            count &+= 1
            payload &+= length
            nextSequence &+= length
            isPushed = segment.isPush
            if isPushed || length < UInt32(segmentSize) || count >= kind.frameLimit {
                state = .closed
            }
        }

        /// The flow: port, Ethernet header and tags, addresses, protocol and ports.
        @inline(__always)
        func isSameFlow(_ a: UnsafeMutableRawPointer, _ segment: Segment) -> Bool {
            guard port == segment.port, Int(network) == segment.network, kind == segment.kind
            else { return false }
            let b = segment.frame
            var difference = a.load32(Int(transport)) ^ b.load32(segment.transport)
            difference |= a.load32(Ethernet.source &+ 2) ^ b.load32(Ethernet.source &+ 2)
            var wide = a.load64(Ethernet.destination) ^ b.load64(Ethernet.destination)
            var offset = Ethernet.type
            while offset < Int(network) {
                difference |= UInt32(a.load16(offset) ^ b.load16(offset))
                offset &+= 2
            }
            if kind.isIPv6 {
                let start = Int(network) &+ IPv6.source
                wide |= a.load64(start) ^ b.load64(start)
                wide |= a.load64(start &+ 8) ^ b.load64(start &+ 8)
                wide |= a.load64(start &+ 16) ^ b.load64(start &+ 16)
                wide |= a.load64(start &+ 24) ^ b.load64(start &+ 24)
            } else {
                let start = Int(network) &+ IPv4.source
                wide |= a.load64(start) ^ b.load64(start)
            }
            return wide | UInt64(difference) == 0
        }

        /// Whether a frame of the same flow may be appended, all but its checksums. `a` is the
        /// first frame.
        @inline(__always)
        mutating func isContinued(_ a: UnsafeMutableRawPointer, by segment: Segment) -> Bool {
            let length = segment.payload
            guard transport == segment.transport, headerLength == segment.headerLength,
                length <= Int(segmentSize),
                Int(headerLength) &- Int(network) &+ Int(payload) &+ length <= 0xffff,
                kind.isIPv6
                    ? continuesIPv6(a + Int(network), segment.frame + Int(network))
                    : continuesIPv4(a + Int(network), segment.frame + Int(network))
            else { return false }
            return !kind.isTCP
                || continuesTCP(a + Int(transport), segment.frame + Int(transport))
        }

        @inline(__always)
        private mutating func continuesIPv4(
            _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer
        ) -> Bool {
            let fragment = a.load16(IPv4.flagsAndFragment)
            // Version, header length and TOS; flags; TTL and protocol.
            guard a.load16(IPv4.versionAndLength) == b.load16(IPv4.versionAndLength),
                fragment == b.load16(IPv4.flagsAndFragment),
                a.load16(IPv4.ttl) == b.load16(IPv4.ttl)
            else { return false }
            let step = b.load16(IPv4.identification) &- a.load16(IPv4.identification)
            if count == 1 {
                hasFixedIdentification = step == 0 && fragment & IPv4.dontFragment != 0
            }
            return step == (hasFixedIdentification ? 0 : UInt16(truncatingIfNeeded: count))
        }

        @inline(__always)
        private func continuesIPv6(
            _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer
        ) -> Bool {
            // Version, traffic class and flow label; next header and hop limit.
            a.load32(IPv6.versionAndClass) == b.load32(IPv6.versionAndClass)
                && a.load16(IPv6.nextHeader) == b.load16(IPv6.nextHeader)
        }

        @inline(__always)
        private func continuesTCP(
            _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer
        ) -> Bool {
            // Data offset, reserved bits, flags and window in one word: all but PSH is equal.
            let push = UInt32(TCP.Flag.psh) << 16
            guard b.load32(TCP.sequence) == nextSequence,
                a.load32(TCP.acknowledgment) == b.load32(TCP.acknowledgment),
                (a.load32(TCP.dataOffset) ^ b.load32(TCP.dataOffset)) & ~push == 0,
                a.load16(TCP.urgent) == b.load16(TCP.urgent)
            else { return false }
            var difference: UInt32 = 0
            var offset = TCP.minimumHeaderLength
            while offset < Int(headerLength) &- Int(transport) {
                difference |= a.load32(offset) ^ b.load32(offset)
                offset &+= 4
            }
            return difference == 0
        }
    }
}

// MARK: The superframe

extension Coalescer.Entry {
    /// What the receiving port is told of a merged item.
    var virtio: VirtioHeader {
        VirtioHeader(
            flags: VirtioHeader.needsChecksum,
            segmentation: kind.isTCP ? (kind.isIPv6 ? .tcpv6 : .tcpv4) : .udp,
            headerLength: headerLength, segmentSize: segmentSize, checksumStart: transport,
            checksumOffset: UInt16(kind.isTCP ? TCP.checksum : UDP.checksum))
    }

    /// Makes the first frame's headers those of the superframe: lengths, IPv4 checksum, PSH, and
    /// in the transport checksum the folded sum of the pseudo-header, as NEEDS_CSUM has it. Doing
    /// it again changes nothing.
    func patchHeaders(_ frame: UnsafeMutableRawPointer) {
        let packet = frame + Int(network)
        let segment = frame + Int(transport)
        let length = Int(headerLength) &- Int(transport) &+ Int(payload)
        let pseudo: UInt64
        if kind.isIPv6 {
            packet.store16(UInt16(truncatingIfNeeded: length), IPv6.payloadLength)
            pseudo = Checksum.pseudoIPv6(packet, kind.proto, length)
        } else {
            let headerLength = IPv4.minimumHeaderLength
            packet.store16(UInt16(truncatingIfNeeded: headerLength &+ length), IPv4.totalLength)
            packet.store16(
                Checksum.ipv4Header(packet, headerLength: headerLength), IPv4.checksum)
            pseudo = Checksum.pseudoIPv4(packet, kind.proto, length)
        }
        if kind.isTCP {
            if isPushed {
                segment.store8(segment.load8(TCP.flags) | TCP.Flag.psh, TCP.flags)
            }
            segment.store16(Checksum.fold(pseudo), TCP.checksum)
        } else {
            segment.store16(UInt16(truncatingIfNeeded: length), UDP.length)
            segment.store16(Checksum.fold(pseudo), UDP.checksum)
        }
    }
}
