import ControlAPI
import Forwarding
import Wire

/// A frame as a station might send it, for traces: right lengths and checksums, a payload of zeros.
struct MadeUpFrame {
    var source: MACAddress
    var destination: MACAddress
    var sourceIP: IPAddress
    /// Of the family of `sourceIP`; of a question, the address that is asked for.
    var destinationIP: IPAddress
    var proto = TraceRequest.Proto.icmp
    var destinationPort: UInt16 = 80
    var vlan: UInt16?
    /// Bytes of the whole frame; nil = as long as such a frame usually is.
    var length: Int?
    /// Payload bytes of each segment, of a superframe.
    var segment: UInt16?

    static let sourcePort: UInt16 = 40000
    /// Of an echo request, as ping(8) has it.
    private static let echoPayload = 56

    private var isIPv6: Bool { sourceIP.isIPv6 }
    private var linkLength: Int {
        Ethernet.headerLength + (vlan == nil ? 0 : Ethernet.tagLength)
    }
    private var networkLength: Int {
        isIPv6 ? IPv6.headerLength : proto == .arp ? 0 : IPv4.minimumHeaderLength
    }
    private var headerLength: Int {
        switch proto {
        case .icmp: 8
        case .tcp: TCP.minimumHeaderLength
        case .udp: UDP.headerLength
        case .arp: isIPv6 ? ND.messageLength + ND.linkLayerOptionLength : ARP.length
        }
    }

    /// What `length` may be: from headers alone to the largest IP packet.
    var lengths: ClosedRange<Int> {
        let least = linkLength + networkLength + headerLength
        return least...linkLength + (isIPv6 ? IPv6.headerLength : 0) + 65535
    }

    /// What `length` may be of any frame: from a bare UDP or ARP header over IPv4 to the largest
    /// packet of IPv6 behind a VLAN tag.
    static let anyLengths = 42...65593

    /// The frame. `length` must be within `lengths`.
    var bytes: [UInt8] {
        let usual = lengths.lowerBound + (proto == .icmp ? Self.echoPayload : 0)
        var frame = [UInt8](repeating: 0, count: length ?? usual)
        frame.withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress else { return }
            writeLink(start)
            if proto == .arp, !isIPv6 {
                writeARP(start + linkLength)
            } else {
                // A question's padding is none of the packet's.
                let end = proto == .arp ? lengths.lowerBound : buffer.count
                writeNetwork(start + linkLength, length: end - linkLength)
                writeTransport(
                    start + linkLength + networkLength, end - linkLength - networkLength)
                writeChecksum(start, frameLength: buffer.count)
            }
        }
        return frame
    }

    /// What stands before it on a port.
    var virtio: VirtioHeader {
        guard let segment else { return VirtioHeader() }
        return VirtioHeader(
            flags: VirtioHeader.needsChecksum,
            segmentation: proto == .udp ? .udp : isIPv6 ? .tcpv6 : .tcpv4,
            headerLength: UInt16(lengths.lowerBound), segmentSize: segment,
            checksumStart: UInt16(linkLength + networkLength),
            checksumOffset: UInt16(proto == .udp ? UDP.checksum : TCP.checksum))
    }

    private func writeLink(_ frame: UnsafeMutableRawPointer) {
        destination.store(at: frame + Ethernet.destination)
        source.store(at: frame + Ethernet.source)
        var offset = Ethernet.type
        if let vlan {
            frame.store16(EtherType.vlan.rawValue, offset)
            frame.store16(vlan, offset + 2)
            offset += Ethernet.tagLength
        }
        let type: EtherType = isIPv6 ? .ipv6 : proto == .arp ? .arp : .ipv4
        frame.store16(type.rawValue, offset)
    }

    private func writeARP(_ packet: UnsafeMutableRawPointer) {
        packet.store32(0x0001_0800, ARP.hardwareType)
        packet.store16(0x0604, ARP.hardwareLength)
        packet.store16(ARP.request, ARP.operation)
        source.store(at: packet + ARP.senderMAC)
        packet.store32(sourceIP.mapped.mappedIPv4?.bits ?? 0, ARP.senderIP)
        packet.store32(destinationIP.mapped.mappedIPv4?.bits ?? 0, ARP.targetIP)
    }

    private func writeNetwork(_ packet: UnsafeMutableRawPointer, length: Int) {
        let proto: IPProtocol =
            switch proto {
            case .icmp, .arp: isIPv6 ? .icmpv6 : .icmp
            case .tcp: .tcp
            case .udp: .udp
            }
        guard isIPv6 else {
            packet.store16(0x4500, IPv4.versionAndLength)
            packet.store16(UInt16(length), IPv4.totalLength)
            packet.store16(IPv4.dontFragment, IPv4.flagsAndFragment)
            packet.store8(64, IPv4.ttl)
            packet.store8(proto.rawValue, IPv4.proto)
            packet.store32(sourceIP.mapped.mappedIPv4?.bits ?? 0, IPv4.source)
            packet.store32(destinationIP.mapped.mappedIPv4?.bits ?? 0, IPv4.destination)
            packet.store16(
                Checksum.ipv4Header(packet, headerLength: IPv4.minimumHeaderLength),
                IPv4.checksum)
            return
        }
        packet.store32(0x6000_0000, IPv6.versionAndClass)
        packet.store16(UInt16(length - IPv6.headerLength), IPv6.payloadLength)
        packet.store8(proto.rawValue, IPv6.nextHeader)
        packet.store8(self.proto == .arp ? 255 : 64, IPv6.hopLimit)
        sourceIP.mapped.store(at: packet + IPv6.source)
        let target = destinationIP.mapped
        let to = self.proto == .arp ? target.solicitedNodeGroup : target
        to.store(at: packet + IPv6.destination)
    }

    private func writeTransport(_ message: UnsafeMutableRawPointer, _ length: Int) {
        switch proto {
        case .icmp:
            message.store8(isIPv6 ? 128 : 8, 0)
            message.store32(0x0001_0001, 4)
        case .tcp:
            message.store16(Self.sourcePort, TCP.sourcePort)
            message.store16(destinationPort, TCP.destinationPort)
            message.store32(1, TCP.sequence)
            message.store8(0x50, TCP.dataOffset)
            // Data belongs to a connection that stands.
            let isData = length > TCP.minimumHeaderLength
            message.store8(isData ? TCP.Flag.ack : TCP.Flag.syn, TCP.flags)
            message.store16(0xffff, TCP.window)
        case .udp:
            message.store16(Self.sourcePort, UDP.sourcePort)
            message.store16(destinationPort, UDP.destinationPort)
            message.store16(UInt16(length), UDP.length)
        case .arp:
            message.store8(ND.solicitation, ND.type)
            destinationIP.mapped.store(at: message + ND.target)
            message.store8(ND.sourceLinkLayer, ND.messageLength)
            message.store8(1, ND.messageLength + 1)
            source.store(at: message + ND.messageLength + 2)
        }
    }

    /// Of the transport header, over an addresses' pseudo-header but for ICMP of IPv4.
    private func writeChecksum(_ frame: UnsafeMutableRawPointer, frameLength: Int) {
        guard let layout = FrameLayout.parse(frame, length: frameLength) else { return }
        let start = linkLength + networkLength
        let length = layout.packetEnd - start
        let isICMPv4 = proto == .icmp && !isIPv6
        let pseudoHeader =
            isICMPv4 ? 0 : Checksum.pseudoHeader(frame, layout, length)
        let checksum = ~Checksum.fold(Checksum.sum(frame + start, length, pseudoHeader))
        let field =
            switch proto {
            case .icmp, .arp: ND.checksum
            case .tcp: TCP.checksum
            case .udp: UDP.checksum
            }
        // RFC 768: zero would mean none.
        frame.store16(proto == .udp && checksum == 0 ? 0xffff : checksum, start + field)
    }
}

extension IPv6Address {
    /// RFC 4291 section 2.7.1.
    fileprivate var solicitedNodeGroup: IPv6Address {
        IPv6Address(high: 0xff02 << 48, low: 0x1_ff00_0000 | low & 0xff_ffff)
    }
}

extension MACAddress {
    /// Where frames for many go: everyone, or the group of an address (RFC 1112 section 6.4, RFC
    /// 2464 section 7); nil for an address of one station.
    init?(groupOf address: IPAddress) {
        switch address {
        case .v4(let v4) where v4.bits == .max: self = .broadcast
        case .v4(let v4) where v4.bits >> 28 == 0xe:
            self.init(bits: 0x0100_5e00_0000 | UInt64(v4.bits & 0x7f_ffff))
        case .v6(let v6) where v6.isMulticast:
            self.init(bits: 0x3333_0000_0000 | v6.low & 0xffff_ffff)
        default: return nil
        }
    }

    /// Where a question for an address goes: to everyone, or to the solicited-node group.
    init(ofQuestionFor address: IPAddress) {
        switch address {
        case .v4: self = .broadcast
        case .v6(let v6): self.init(bits: 0x3333_ff00_0000 | v6.low & 0xff_ffff)
        }
    }
}
