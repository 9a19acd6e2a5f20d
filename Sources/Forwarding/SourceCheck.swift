import Wire

/// Anti-spoofing: whether the sender that a frame tells is one that its port may use.
///
/// With MACs given, the Ethernet source must be one of them, and the sender MAC that ARP tells
/// must be the Ethernet source. With IPs given too, the IP source and the sender that ARP and
/// ND tell must be one of them, except for what a station needs before it has an address: IPv4
/// 0.0.0.0 for DHCP and ARP probes (RFC 5227), IPv6 :: for duplicate address detection and
/// solicitations (RFC 4862), and the link-local address made of its MAC.
enum SourceCheck {
    /// The reason to drop a frame, nil if it may pass.
    @inline(__always)
    static func reject(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, source: MACAddress,
        port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Drop? {
        guard port.pointee.macs.count != 0 else { return nil }
        return rejectChecked(frame, layout, source, port, topology)
    }

    private static func rejectChecked(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ source: MACAddress,
        _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Drop? {
        let macs = port.pointee.macs
        let base = topology.macs + Int(macs.start)
        guard (0..<Int(macs.count)).contains(where: { base[$0] == source }) else {
            return .spoofedMAC
        }
        let packet = UnsafeRawPointer(frame) + Int(layout.networkOffset)
        if layout.network == .arp, MACAddress(at: packet + ARP.senderMAC) != source {
            return .spoofedMAC
        }
        guard port.pointee.addresses.count != 0 else { return nil }
        let allowed =
            switch layout.network {
            case .arp: allowsARP(packet, port, topology)
            case .ipv4: allowsIPv4(frame, packet, layout, port, topology)
            case .ipv6: allowsIPv6(frame, packet, layout, source, port, topology)
            case .other: allowsOther(layout.etherType)
            }
        return allowed ? nil : .spoofedIP
    }

    /// What cannot be judged must not carry an address past the check: a broken IP header, a
    /// third VLAN tag or one of another type, and IEEE 802.3 frames (a length and not a type),
    /// in which SNAP carries IP.
    private static func allowsOther(_ type: EtherType) -> Bool {
        switch type.rawValue {
        case ..<0x600, 0x8100, 0x88a8, 0x9100, 0x9200: false
        default: type != .ipv4 && type != .ipv6 && type != .arp
        }
    }

    private static func owns(
        _ address: IPv6Address, _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Bool {
        let span = port.pointee.addresses
        let base = topology.addresses + Int(span.start)
        return (0..<Int(span.count)).contains { base[$0] == address }
    }

    private static func allowsARP(
        _ packet: UnsafeRawPointer, _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Bool {
        guard ARP.isIPv4OverEthernet(packet) else { return false }
        let sender = IPv4Address(bits: packet.load32(ARP.senderIP))
        if sender == .any { return packet.load16(ARP.operation) == ARP.request }
        return owns(IPv6Address(mapping: sender), port, topology)
    }

    private static func allowsIPv4(
        _ frame: UnsafeMutableRawPointer, _ packet: UnsafeRawPointer, _ layout: FrameLayout,
        _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Bool {
        let source = IPv4Address(bits: packet.load32(IPv4.source))
        if source != .any { return owns(IPv6Address(mapping: source), port, topology) }
        // DHCP: from port 68 to port 67 (RFC 2131).
        guard layout.transport == .udp else { return false }
        let header = UnsafeRawPointer(frame) + Int(layout.transportOffset)
        return header.load16(UDP.sourcePort) == 68 && header.load16(UDP.destinationPort) == 67
    }

    private static func allowsIPv6(
        _ frame: UnsafeMutableRawPointer, _ packet: UnsafeRawPointer, _ layout: FrameLayout,
        _ mac: MACAddress, _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Bool {
        let own = IPv6Address(linkLocalOf: mac)
        let source = IPv6Address(at: packet + IPv6.source)
        guard layout.transport == .icmpv6 else {
            return source == own || ownsIPv6(source, port, topology)
        }
        let message = UnsafeRawPointer(frame) + Int(layout.transportOffset)
        let length = layout.packetEnd - Int(layout.transportOffset)
        guard ownLinkLayer(message, length, mac) else { return false }
        if source == .any { return isAllowedUnspecified(message.load8(ND.type)) }
        guard source == own || ownsIPv6(source, port, topology) else { return false }
        // An advertisement claims its target (RFC 4861 section 4.4), whoever the source is.
        guard message.load8(ND.type) == ND.advertisement else { return true }
        guard length >= ND.messageLength else { return false }
        let target = IPv6Address(at: message + ND.target)
        return target == own || ownsIPv6(target, port, topology)
    }

    /// What a station says before it has an address: questions of ND, reports of listeners.
    private static func isAllowedUnspecified(_ type: UInt8) -> Bool {
        switch type {
        case ND.solicitation, ND.routerSolicitation, ND.listenerReport, ND.listenerDone,
            ND.listenerReportV2:
            true
        default: false
        }
    }

    /// Whether every link-layer address option of an ND message is the sender's own MAC (RFC 4861
    /// section 4.6.1): it is what the receiver believes.
    private static func ownLinkLayer(
        _ message: UnsafeRawPointer, _ length: Int, _ mac: MACAddress
    ) -> Bool {
        var offset: Int
        switch message.load8(ND.type) {
        case ND.solicitation, ND.advertisement: offset = ND.messageLength
        case ND.routerSolicitation: offset = 8
        case ND.routerAdvertisement: offset = 16
        default: return true
        }
        while offset + ND.linkLayerOptionLength <= length {
            let type = message.load8(offset)
            let units = Int(message.load8(offset + 1))
            // Section 4.6: an option without length makes the message invalid.
            guard units > 0 else { return false }
            let isLinkLayer = type == ND.sourceLinkLayer || type == ND.targetLinkLayer
            if isLinkLayer, MACAddress(at: message + offset + 2) != mac { return false }
            offset += units * 8
        }
        return true
    }

    /// IPv4 addresses stand in the table as ::ffff:0:0/96, which nobody has in IPv6.
    private static func ownsIPv6(
        _ address: IPv6Address, _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Bool {
        address.mappedIPv4 == nil && owns(address, port, topology)
    }
}
