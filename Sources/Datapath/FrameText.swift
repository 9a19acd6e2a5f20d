import Wire

/// A frame in one line, for people: `02:... > 02:..., 98 bytes, IPv4 10.0.0.1 > 10.0.0.2, ...`.
struct FrameText {
    let text: String

    init(_ frame: [UInt8]) {
        text = frame.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress,
                let layout = FrameLayout.parse(start, length: bytes.count)
            else { return "\(bytes.count) bytes" }
            let source = MACAddress(at: start + Ethernet.source)
            let destination = MACAddress(at: start + Ethernet.destination)
            let tags = Self.tags(start, layout)
            let what = Self.network(start, layout)
            return "\(source) > \(destination), \(bytes.count) bytes\(tags), \(what)"
        }
    }

    private static func tags(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> String {
        (0..<Int(layout.tags)).map { index in
            let offset = Ethernet.headerLength + index * Ethernet.tagLength
            return ", VLAN \(frame.load16(offset) & 0xfff)"
        }.joined()
    }

    private static func network(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> String {
        let packet = frame + Int(layout.networkOffset)
        switch layout.network {
        case .arp:
            let sender = IPv4Address(bits: packet.load32(ARP.senderIP))
            let target = IPv4Address(bits: packet.load32(ARP.targetIP))
            return packet.load16(ARP.operation) == ARP.request
                ? "ARP: who has \(target), tell \(sender)"
                : "ARP: \(sender) is \(MACAddress(at: packet + ARP.senderMAC))"
        case .ipv4:
            let source = IPv4Address(bits: packet.load32(IPv4.source))
            let destination = IPv4Address(bits: packet.load32(IPv4.destination))
            return "IPv4 \(source) > \(destination)\(transport(frame, layout))"
        case .ipv6:
            let source = IPv6Address(at: packet + IPv6.source)
            let destination = IPv6Address(at: packet + IPv6.destination)
            return "IPv6 \(source) > \(destination)\(transport(frame, layout))"
        case .other:
            return "EtherType 0x\(String(layout.etherType.rawValue, radix: 16))"
        }
    }

    private static func transport(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> String {
        let fragment = layout.isFragment ? ", fragment" : ""
        let header = frame + Int(layout.transportOffset)
        switch layout.transport {
        case .tcp:
            let isSyn = header.load8(TCP.flags) & (TCP.Flag.syn | TCP.Flag.ack) == TCP.Flag.syn
            return "\(fragment), TCP\(isSyn ? " SYN" : "") \(ports(header))"
        case .udp: return "\(fragment), UDP \(ports(header))"
        case .icmp: return "\(fragment), \(icmp(header, layout))"
        case .icmpv6: return "\(fragment), \(icmpv6(header, layout))"
        default: return fragment
        }
    }

    private static func ports(_ header: UnsafeRawPointer) -> String {
        "port \(header.load16(UDP.sourcePort)) > \(header.load16(UDP.destinationPort))"
    }

    private static func icmp(_ message: UnsafeRawPointer, _ layout: FrameLayout) -> String {
        let length = layout.packetEnd - Int(layout.transportOffset)
        return switch (message.load8(0), message.load8(1)) {
        case (8, _): "ICMP echo request"
        case (0, _): "ICMP echo reply"
        case (3, 4) where length >= 8:
            "ICMP fragmentation needed, MTU \(message.load16(6))"
        case (let type, let code): "ICMP type \(type) code \(code)"
        }
    }

    private static func icmpv6(_ message: UnsafeRawPointer, _ layout: FrameLayout) -> String {
        let length = layout.packetEnd - Int(layout.transportOffset)
        return switch message.load8(ND.type) {
        case 128: "ICMPv6 echo request"
        case 129: "ICMPv6 echo reply"
        case 2 where length >= 8: "ICMPv6 packet too big, MTU \(message.load32(4))"
        case ND.solicitation where length >= ND.messageLength:
            "neighbour solicitation for \(IPv6Address(at: message + ND.target))"
        case ND.advertisement where length >= ND.messageLength:
            "neighbour advertisement of \(IPv6Address(at: message + ND.target))"
        case let type: "ICMPv6 type \(type) code \(message.load8(ND.code))"
        }
    }
}
