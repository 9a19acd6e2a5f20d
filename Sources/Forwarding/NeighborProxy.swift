// NeighborProxy: ARP and ND at the source. A question whose answer is in the neighbour table is
// answered on the port that asked and is not flooded (RFC 9161 section 3.3). A question about
// one's own address (gratuitous ARP, duplicate address detection of an address that we think is
// the asker's) is never answered, or a station would be told that its own address is taken; and
// who asks whether an address is free is told otherwise only by configuration or by its owner,
// not by what we remember of a station that may be gone. Nor is a question about a station behind
// the same port answered: it has heard the question and answers for itself, and a bridge there
// would take our answer for a sign that it has moved to the port. In the name of a station that
// has not yet said whether it is an IPv6 router we say nothing.

import Wire

enum NeighborProxy {
    /// Rewrites a question in place as its answer. The answer's length, nil if it is no question
    /// or we do not know.
    @inline(__always)
    static func answer(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, source: MACAddress,
        port: UInt16, network: UInt16, _ view: borrowing ForwardingView
    ) -> Int? {
        if layout.network == .arp {
            return answerARP(frame, layout, source, port, network, view)
        }
        if layout.transport == .icmpv6, layout.network == .ipv6 {
            return answerND(frame, layout, source, port, network, view)
        }
        return nil
    }

    /// The MAC to answer with: nil if nobody has the address, the asker has it, or its owner is
    /// behind the asker's port.
    private static func owner(
        of address: IPv6Address, _ asker: MACAddress, isProbe: Bool, _ port: UInt16,
        _ network: UInt16, _ view: borrowing ForwardingView
    ) -> Neighbor? {
        guard let owner = view.neighbors.neighbor(network: network, address),
            owner.mac != asker, owner.isFixed || !isProbe
        else { return nil }
        let place = view.endpoints.lookup(EndpointKey(network: network, mac: owner.mac))?.location
        if let place, place.isPort, place.index == port { return nil }
        return owner
    }

    /// The address that a frame asks for: nil if it is no question that may be answered here.
    static func target(_ frame: UnsafeMutableRawPointer, _ layout: FrameLayout) -> IPv6Address? {
        if layout.network == .arp {
            return targetOfARP(frame, layout).map { IPv6Address(mapping: $0) }
        }
        guard layout.transport == .icmpv6, layout.network == .ipv6 else { return nil }
        return targetOfND(frame, layout)
    }

    @inline(__always)
    private static func targetOfARP(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout
    ) -> IPv4Address? {
        let packet = frame + Int(layout.networkOffset)
        guard ARP.isIPv4OverEthernet(packet), packet.load16(ARP.operation) == ARP.request,
            MACAddress(at: frame + Ethernet.destination).isBroadcast
        else { return nil }
        return IPv4Address(bits: packet.load32(ARP.targetIP))
    }

    @inline(__always)
    private static func targetOfND(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout
    ) -> IPv6Address? {
        let packet = frame + Int(layout.networkOffset)
        let message = frame + Int(layout.transportOffset)
        // RFC 6980 section 5: fragments are no neighbour discovery.
        guard !layout.isFragment, message.load8(ND.type) == ND.solicitation,
            layout.packetEnd &- Int(layout.transportOffset) >= ND.messageLength,
            packet.load8(IPv6.hopLimit) == 255, message.load8(ND.code) == 0,
            MACAddress(at: frame + Ethernet.destination).isMulticast
        else { return nil }
        let target = IPv6Address(at: message + ND.target)
        return target.mappedIPv4 == nil ? target : nil
    }

    private static func answerARP(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ source: MACAddress,
        _ port: UInt16, _ network: UInt16, _ view: borrowing ForwardingView
    ) -> Int? {
        let packet = frame + Int(layout.networkOffset)
        guard let target = targetOfARP(frame, layout) else { return nil }
        let sender = packet.load32(ARP.senderIP)
        guard sender != target.bits,
            let owner = owner(
                of: IPv6Address(mapping: target), source, isProbe: sender == 0, port, network,
                view)?.mac
        else { return nil }
        source.store(at: frame + Ethernet.destination)
        owner.store(at: frame + Ethernet.source)
        packet.store16(ARP.reply, ARP.operation)
        source.store(at: packet + ARP.targetMAC)
        packet.store32(sender, ARP.targetIP)
        owner.store(at: packet + ARP.senderMAC)
        packet.store32(target.bits, ARP.senderIP)
        return Int(layout.networkOffset) &+ ARP.length
    }

    private static func answerND(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ source: MACAddress,
        _ port: UInt16, _ network: UInt16, _ view: borrowing ForwardingView
    ) -> Int? {
        let packet = frame + Int(layout.networkOffset)
        guard let target = targetOfND(frame, layout) else { return nil }
        let asker = IPv6Address(at: packet + IPv6.source)
        guard
            let owner = owner(
                of: target, source, isProbe: asker == .any, port, network, view),
            owner.isFixed || owner.role != .unknown
        else { return nil }
        return writeAdvertisement(frame, layout, to: asker, source, target: target, owner)
    }

    /// RFC 4861 section 7.2.4; to an asker without an address (duplicate address detection) it
    /// goes to all nodes, unsolicited.
    private static func writeAdvertisement(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, to asker: IPv6Address,
        _ askerMAC: MACAddress, target: IPv6Address, _ neighbor: Neighbor
    ) -> Int {
        let owner = neighbor.mac
        let packet = frame + Int(layout.networkOffset)
        let message = packet + IPv6.headerLength
        let messageLength = ND.messageLength + ND.linkLayerOptionLength
        let isUnspecified = asker == .any
        let allNodes = IPv6Address(high: 0xff02 << 48, low: 1)
        (isUnspecified ? MACAddress(bits: 0x3333_0000_0001) : askerMAC)
            .store(at: frame + Ethernet.destination)
        owner.store(at: frame + Ethernet.source)
        packet.store32(0x6000_0000, IPv6.versionAndClass)
        packet.store16(UInt16(messageLength), IPv6.payloadLength)
        packet.store8(IPProtocol.icmpv6.rawValue, IPv6.nextHeader)
        packet.store8(255, IPv6.hopLimit)
        target.store(at: packet + IPv6.source)
        (isUnspecified ? allNodes : asker).store(at: packet + IPv6.destination)
        message.store8(ND.advertisement, ND.type)
        message.store8(0, ND.code)
        let router = neighbor.role == .router ? ND.router : 0
        message.store32(ND.override | router | (isUnspecified ? 0 : ND.solicited), ND.flags)
        target.store(at: message + ND.target)
        message.store8(ND.targetLinkLayer, ND.messageLength)
        message.store8(1, ND.messageLength + 1)
        owner.store(at: message + ND.messageLength + 2)
        ICMP.storeChecksumV6(packet, messageLength: messageLength)
        return Int(layout.networkOffset) + IPv6.headerLength + messageLength
    }

    /// The IP address that an ARP or ND frame says is its source's own; `.any` if it says none. An
    /// advertisement tells the role with it.
    static func ownAddress(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, source: MACAddress
    ) -> (IPv6Address, NeighborRole) {
        let packet = frame + Int(layout.networkOffset)
        if layout.network == .arp {
            let sender = IPv4Address(bits: packet.load32(ARP.senderIP))
            guard ARP.isIPv4OverEthernet(packet), sender != .any,
                MACAddress(at: packet + ARP.senderMAC) == source
            else { return (.any, .unknown) }
            return (IPv6Address(mapping: sender), .unknown)
        }
        let message = frame + Int(layout.transportOffset)
        guard layout.transport == .icmpv6, layout.network == .ipv6, !layout.isFragment,
            packet.load8(IPv6.hopLimit) == 255,
            layout.packetEnd &- Int(layout.transportOffset) >= ND.messageLength
        else { return (.any, .unknown) }
        let sender = IPv6Address(at: packet + IPv6.source)
        let address: IPv6Address
        var role = NeighborRole.unknown
        switch message.load8(ND.type) {
        case ND.solicitation:
            address = sender
        // RFC 4861 section 4.4: an advertisement comes from an address.
        case ND.advertisement where sender != .any:
            address = IPv6Address(at: message + ND.target)
            role = message.load32(ND.flags) & ND.router != 0 ? .router : .host
        default:
            return (.any, .unknown)
        }
        // ::ffff:0:0/96 is how the table writes IPv4 addresses, of which ND says nothing.
        return address.mappedIPv4 == nil ? (address, role) : (.any, .unknown)
    }
}
