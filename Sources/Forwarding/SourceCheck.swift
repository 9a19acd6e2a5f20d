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
            // A broken IP header cannot be judged and must not carry an address past the check.
            case .other: layout.etherType != .ipv4 && layout.etherType != .ipv6
                && layout.etherType != .arp
            }
        return allowed ? nil : .spoofedIP
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
        if source == .any {
            let isListenerReport = layout.transport == .none && isHopByHop(packet)
            guard layout.transport == .icmpv6 || isListenerReport else { return false }
        } else {
            guard source == own || ownsIPv6(source, port, topology) else { return false }
        }
        // An advertisement claims its target (RFC 4861 section 4.4), whoever the source is.
        guard layout.transport == .icmpv6 else { return true }
        let message = UnsafeRawPointer(frame) + Int(layout.transportOffset)
        guard message.load8(ND.type) == ND.advertisement else { return true }
        guard layout.packetEnd - Int(layout.transportOffset) >= ND.messageLength else {
            return false
        }
        let target = IPv6Address(at: message + ND.target)
        return target == own || ownsIPv6(target, port, topology)
    }

    /// IPv4 addresses stand in the table as ::ffff:0:0/96, which nobody has in IPv6.
    private static func ownsIPv6(
        _ address: IPv6Address, _ port: UnsafePointer<PortEntry>, _ topology: Topology
    ) -> Bool {
        address.mappedIPv4 == nil && owns(address, port, topology)
    }

    /// Multicast listener reports from :: have a hop-by-hop header (RFC 3810 section 5), before
    /// which a cut-off frame may show no ICMPv6.
    private static func isHopByHop(_ packet: UnsafeRawPointer) -> Bool {
        packet.load8(IPv6.nextHeader) == IPv6.Extension.hopByHop
    }
}
