import Catalog
import ControlAPI
import Forwarding
import Wire

/// What a request has traced: a frame, and where it comes from.
struct TraceSubject {
    enum Origin: Equatable {
        /// A port's row.
        case port(Int)
        /// An address on the underlay.
        case underlay(IPAddress)
    }

    let origin: Origin
    /// From a port the frame, from the underlay the datagram's payload.
    let bytes: [UInt8]
    var virtio = VirtioHeader()
    /// What of it was not given, and where it was had from.
    var notes: [String] = []

    /// Bytes before the frame.
    var frameOffset: Int {
        if case .underlay = origin { min(bytes.count, VXLAN.headerLength) } else { 0 }
    }
}

extension TraceRequest {
    /// The bytes that hexadecimal digits spell.
    func frame() throws(TraceError) -> [UInt8]? {
        guard let hex else { return nil }
        let fields: [(String, Bool)] = [
            ("dst", dst != nil), ("src", src != nil), ("proto", proto != nil),
            ("dport", dport != nil), ("length", length != nil), ("vlan", vlan != nil),
            ("segment", segment != nil),
        ]
        if let (name, _) = fields.first(where: { $0.1 }) {
            throw TraceError(name, "the frame is given whole (hex): leave it out")
        }
        let digits = hex.utf8.filter { $0 != 0x20 && !(0x09...0x0d).contains($0) }
        guard !digits.isEmpty, digits.count % 2 == 0 else {
            throw TraceError(
                "hex", "expected an even number of hexadecimal digits, found \(digits.count)")
        }
        guard digits.count / 2 <= 0xffff else {
            throw TraceError("hex", "\(digits.count / 2) bytes; a datagram has 65535 at most")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = digits[index...index + 1].map { Character(Unicode.Scalar($0)).hexDigitValue }
            guard let high = pair[0], let low = pair[1] else {
                throw TraceError("hex", "byte \(index / 2) is not written in hexadecimal digits")
            }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }

    /// A field's number, if it is given and in range.
    static func number(
        _ field: String, _ value: Int?, _ range: ClosedRange<Int>
    ) throws(TraceError) -> Int? {
        guard let value else { return nil }
        guard range.contains(value) else {
            let text = "\(range.lowerBound)...\(range.upperBound)"
            throw TraceError(field, "found \(value), expected \(text)")
        }
        return value
    }

    /// A MAC or an IP of a field.
    static func station(
        _ field: String, _ text: String
    ) throws(TraceError) -> (mac: MACAddress?, ip: IPAddress?) {
        if let mac = MACAddress(text) { return (mac, nil) }
        if let ip = IPAddress(text) { return (nil, ip) }
        throw TraceError(field, "found `\(text)`, expected a MAC or an IP address")
    }
}

extension Keeper {
    /// The frame that a request asks for, whole.
    func subject(of request: TraceRequest) throws(TraceError) -> TraceSubject {
        let origins = [request.port, request.peer, request.from].compactMap { $0 }
        guard origins.count == 1 else {
            throw TraceError("port", "expected one of port, peer and from, found \(origins.count)")
        }
        if let port = request.port { return try subject(of: request, fromPort: port) }
        return try subject(of: request, fromUnderlay: underlaySource(of: request))
    }

    private func subject(
        of request: TraceRequest, fromPort name: String
    ) throws(TraceError) -> TraceSubject {
        guard let row = rows.ports.row(of: name), let port = rows.ports[row] else {
            throw TraceError("port", "there is no port \(name)")
        }
        for (field, isGiven) in [("network", request.network != nil), ("vni", request.vni != nil)]
        where isGiven {
            throw TraceError(field, "port \(name) is in network \(port.network): leave it out")
        }
        if let bytes = try request.frame() { return TraceSubject(origin: .port(row), bytes: bytes) }
        let network = rows.networks.row(of: port.network)
        var made = StationFinder(
            keeper: self, network: network.map { UInt16($0) }, place: .port(UInt16(row)),
            macs: port.macs, ips: port.ips)
        let frame = try made.frame(request)
        return TraceSubject(
            origin: .port(row), bytes: frame.bytes, virtio: frame.virtio, notes: made.notes)
    }

    private func subject(
        of request: TraceRequest, fromUnderlay address: IPAddress
    ) throws(TraceError) -> TraceSubject {
        let vni = try vni(of: request)
        if let bytes = try request.frame() {
            let header = vni.map(Self.vxlanHeader) ?? []
            return TraceSubject(origin: .underlay(address), bytes: header + bytes)
        }
        guard let vni else {
            throw TraceError("network", "expected the network that the frame is in, or its vni")
        }
        guard request.segment == nil else {
            throw TraceError("segment", "superframes come from ports only: leave it out")
        }
        let network = rows.networks.entries.first { $0.element.vni == vni }?.row
        let peer = rows.peers.entries.first { $0.element.address == address }?.row
        var made = StationFinder(
            keeper: self, network: network.map { UInt16($0) },
            place: peer.map { .peer(UInt16($0)) })
        let frame = try made.frame(request)
        return TraceSubject(
            origin: .underlay(address), bytes: Self.vxlanHeader(vni) + frame.bytes,
            notes: made.notes)
    }

    private func underlaySource(of request: TraceRequest) throws(TraceError) -> IPAddress {
        if let name = request.peer {
            guard let row = rows.peers.row(of: name), let peer = rows.peers[row] else {
                throw TraceError("peer", "there is no peer \(name)")
            }
            return peer.address
        }
        guard let from = request.from, let address = IPAddress(from) else {
            throw TraceError("from", "found `\(request.from ?? "")`, expected an IP address")
        }
        return address
    }

    private func vni(of request: TraceRequest) throws(TraceError) -> UInt32? {
        guard let name = request.network else {
            return try TraceRequest.number("vni", request.vni, 0...Int(VXLAN.vniLimit) - 1)
                .map { UInt32($0) }
        }
        guard request.vni == nil else {
            throw TraceError("vni", "the network is given by its name: leave it out")
        }
        guard let row = rows.networks.row(of: name), let network = rows.networks[row] else {
            throw TraceError("network", "there is no network \(name)")
        }
        return network.vni
    }

    private static func vxlanHeader(_ vni: UInt32) -> [UInt8] {
        withUnsafeBytes(of: VXLAN.header(vni: vni).bigEndian) { Array($0) }
    }
}
