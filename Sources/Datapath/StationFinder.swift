import ControlAPI
import Forwarding
import Wire

/// Finds out who sends a made-up frame to whom: what a request leaves open comes from the
/// configuration and the tables, else it is made up. Whatever was not given is noted.
struct StationFinder {
    let keeper: Keeper
    /// Nil for a network that this host does not have: then nothing is known.
    let network: UInt16?
    /// Where the frame comes from; nil for a stranger.
    let place: Location?
    /// What the port may use.
    var macs: [MACAddress] = []
    var ips: [IPAddress] = []
    private(set) var notes: [String] = []

    /// Locally administered, and addresses that are for documentation (RFC 5737, RFC 3849).
    private static let strangeMAC = MACAddress(bits: 0x0200_5e00_5301)
    private static func strangeIP(_ number: UInt8, isIPv6: Bool) -> IPAddress {
        isIPv6
            ? .v6(IPv6Address(high: 0x2001_0db8 << 32, low: UInt64(number)))
            : .v4(IPv4Address(bits: 0xc000_0200 | UInt32(number)))
    }

    init(
        keeper: Keeper, network: UInt16?, place: Location?, macs: [MACAddress] = [],
        ips: [IPAddress] = []
    ) {
        self.keeper = keeper
        self.network = network
        self.place = place
        self.macs = macs
        self.ips = ips
    }

    /// The frame that a request describes.
    mutating func frame(_ request: TraceRequest) throws(TraceError) -> MadeUpFrame {
        guard let text = request.dst else {
            throw TraceError("dst", "expected the MAC or IP that the frame is for, or hex")
        }
        _ = try TraceRequest.number("length", request.length, MadeUpFrame.anyLengths)
        let vlan = try TraceRequest.number("vlan", request.vlan, 1...4094)
        let to = try TraceRequest.station("dst", text)
        let from: (mac: MACAddress?, ip: IPAddress?) =
            try request.src.map { text throws(TraceError) in
                try TraceRequest.station("src", text)
            } ?? (nil, nil)
        if let source = from.ip, let destination = to.ip, source.isIPv6 != destination.isIPv6 {
            throw TraceError("src", "\(source) and \(destination) are of different families")
        }
        let sourceMAC = from.mac ?? senderMAC(having: from.ip)
        let isIPv6 = (to.ip ?? from.ip ?? anyAddress(of: to.mac))?.isIPv6 ?? false
        let sourceIP = from.ip ?? senderIP(of: sourceMAC, isIPv6: isIPv6)
        var frame = MadeUpFrame(
            source: sourceMAC, destination: .zero, sourceIP: sourceIP,
            destinationIP: to.ip ?? receiverIP(of: to.mac, isIPv6: isIPv6))
        frame.vlan = vlan.map { UInt16($0) }
        frame.proto = request.proto ?? .icmp
        if let mac = to.mac {
            guard frame.proto != .arp else {
                throw TraceError("dst", "a question is for an IP address, found a MAC")
            }
            frame.destination = mac
        } else {
            try resolve(&frame)
        }
        try apply(request, to: &frame)
        return frame
    }

    /// Where a frame for an IP address goes: to the MAC that has it. If nobody is known to have it,
    /// it is the question that comes first.
    private mutating func resolve(_ frame: inout MadeUpFrame) throws(TraceError) {
        let address = frame.destinationIP
        if frame.proto == .arp {
            guard MACAddress(groupOf: address) == nil else {
                throw TraceError("dst", "\(address) is a group: nobody asks who has it")
            }
            frame.destination = MACAddress(ofQuestionFor: address)
        } else if let group = MACAddress(groupOf: address) {
            frame.destination = group
        } else if let owner = owner(of: address) {
            frame.destination = owner.mac
            notes.append("\(address) is \(owner.mac), by the neighbour table (\(owner.origin))")
        } else {
            frame.proto = .arp
            frame.destination = MACAddress(ofQuestionFor: address)
            notes.append(
                "nobody is known to have \(address): this is the question that a station asks "
                    + "first (an address outside the subnet is sent to the gateway's MAC: "
                    + "give that)")
        }
    }

    private func apply(
        _ request: TraceRequest, to frame: inout MadeUpFrame
    ) throws(TraceError) {
        let asked = request.proto ?? .icmp
        let hasPorts = asked == .tcp || asked == .udp
        let port = try TraceRequest.number("dport", request.dport, 0...65535)
        if port != nil, !hasPorts {
            throw TraceError("dport", "expected with proto tcp or udp only")
        }
        let segment = try TraceRequest.number("segment", request.segment, 0...65535)
        if segment != nil {
            guard hasPorts else { throw TraceError("segment", "expected with proto tcp or udp") }
            guard request.length != nil else {
                throw TraceError("length", "expected with segment: the superframe's bytes")
            }
        }
        // What was said of the frame is not said of the question before it.
        guard frame.proto == asked else { return }
        frame.destinationPort = port.map { UInt16($0) } ?? (asked == .udp ? 53 : 80)
        frame.segment = segment.map { UInt16($0) }
        guard let length = request.length else { return }
        guard frame.lengths.contains(length) else {
            let range = "\(frame.lengths.lowerBound)...\(frame.lengths.upperBound)"
            throw TraceError("length", "found \(length), expected \(range) for this frame")
        }
        frame.length = length
    }

    // MARK: What is known

    private func owner(of address: IPAddress) -> (mac: MACAddress, origin: String)? {
        guard let network else { return nil }
        return keeper.tables.neighbors.get(NeighborKey(network: network, address: address))
            .map { ($0.mac, $0.isFixed ? "static" : "learned") }
    }

    private mutating func senderMAC(having address: IPAddress?) -> MACAddress {
        if let address, let owner = owner(of: address) {
            notes.append("\(address) is \(owner.mac), by the neighbour table (\(owner.origin))")
            return owner.mac
        }
        if let mac = macs.first {
            notes.append("source MAC \(mac): the port's first")
            return mac
        }
        if let mac = latestEndpoint() {
            notes.append("source MAC \(mac): an endpoint that is known there")
            return mac
        }
        notes.append("source MAC \(Self.strangeMAC): made up")
        return Self.strangeMAC
    }

    private mutating func senderIP(of mac: MACAddress, isIPv6: Bool) -> IPAddress {
        if let ip = ips.first(where: { $0.isIPv6 == isIPv6 }) {
            notes.append("source IP \(ip): the port's first")
            return ip
        }
        return address("source", of: mac, number: 1, isIPv6: isIPv6)
    }

    private mutating func receiverIP(of mac: MACAddress?, isIPv6: Bool) -> IPAddress {
        address("destination", of: mac, number: 2, isIPv6: isIPv6)
    }

    private mutating func address(
        _ which: String, of mac: MACAddress?, number: UInt8, isIPv6: Bool
    ) -> IPAddress {
        if let known = addresses(of: mac).first(where: { $0.isIPv6 == isIPv6 }) {
            notes.append("\(which) IP \(known): by the neighbour table")
            return known
        }
        let address = Self.strangeIP(number, isIPv6: isIPv6)
        notes.append("\(which) IP \(address): made up")
        return address
    }

    /// IPv4 before IPv6.
    private func anyAddress(of mac: MACAddress?) -> IPAddress? {
        let known = addresses(of: mac)
        return known.first { !$0.isIPv6 } ?? known.first
    }

    /// In an order that stays the same; addresses of one link last.
    private func addresses(of mac: MACAddress?) -> [IPAddress] {
        guard let network, let mac else { return [] }
        var found: [IPv6Address] = []
        keeper.tables.neighbors.forEach { key, owner, _ in
            if key.network == network, owner == mac { found.append(key.address) }
        }
        func order(_ address: IPv6Address) -> (Int, UInt64, UInt64) {
            (address.isLinkLocal ? 1 : 0, address.high, address.low)
        }
        found.sort { order($0) < order($1) }
        return found.map { address in
            address.mappedIPv4.map { .v4($0) } ?? .v6(address)
        }
    }

    /// The endpoint that was seen last where the frame comes from.
    private func latestEndpoint() -> MACAddress? {
        guard let network, let place else { return nil }
        var latest: (seen: UInt32, mac: MACAddress)?
        keeper.tables.endpoints.forEach { key, location, seen in
            guard key.network == network, location.isSamePlace(as: place) else { return }
            let isLater = latest.map { (seen, $0.mac.bits) > ($0.seen, key.mac.bits) } ?? true
            if isLater { latest = (seen, key.mac) }
        }
        return latest?.mac
    }
}
