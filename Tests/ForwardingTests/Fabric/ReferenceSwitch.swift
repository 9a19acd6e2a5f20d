import TestFrames
import Wire

/// What a host of an overlay does with a frame, the slow way: dictionaries, byte arrays, and the
/// words of RFC 7348, RFC 826, RFC 9161 and the design, none of the code under test.
struct ReferenceSwitch {
    struct Port {
        var network: Int
        /// The one station that this port is for; nil: any.
        var owner: (mac: MACAddress, ip: IPv4Address)?
        var floodsUnknown: Bool
    }

    enum Place: Equatable {
        case port(Int)
        case host(Int)
    }

    struct Station: Hashable {
        var network: Int
        var mac: MACAddress
    }

    struct Address: Hashable {
        var network: Int
        var ip: UInt32
    }

    let ports: [Port]
    /// The networks of every other host.
    let networksOfHosts: [Int: Set<Int>]
    private var places: [Station: Place] = [:]
    private var owners: [Address: MACAddress] = [:]
    /// What configuration says: a port's own station is where it is.
    private var fixedStations: Set<Station> = []
    private var fixedAddresses: Set<Address> = []

    init(ports: [Port], networksOfHosts: [Int: Set<Int>]) {
        self.ports = ports
        self.networksOfHosts = networksOfHosts
        for (index, port) in ports.enumerated() {
            guard let owner = port.owner else { continue }
            let station = Station(network: port.network, mac: owner.mac)
            let address = Address(network: port.network, ip: owner.ip.bits)
            places[station] = .port(index)
            owners[address] = owner.mac
            fixedStations.insert(station)
            fixedAddresses.insert(address)
        }
    }

    // MARK: Events

    mutating func fromPort(_ frame: [UInt8], _ port: Int) -> Outcome {
        let network = ports[port].network
        guard let frame = Frame(frame), frame.isFromAStation, !isForged(frame, ports[port]) else {
            return Outcome()
        }
        // A station that is fixed elsewhere does not speak from here.
        let source = Station(network: network, mac: frame.source)
        if fixedStations.contains(source), places[source] != .port(port) { return Outcome() }
        // Tables are written behind the frames: a frame is judged by what was known before it.
        defer { learn(frame, network, .port(port)) }
        if isAnswered(frame, network, port) { return Outcome(isAnswered: true) }

        if frame.isForMany || places[Station(network: network, mac: frame.destination)] == nil {
            guard frame.isForMany || ports[port].floodsUnknown else { return Outcome() }
            return Outcome(
                ports: portsToFlood(frame, network).subtracting([port]),
                hosts: Set(networksOfHosts.filter { $0.value.contains(network) }.keys))
        }
        switch places[Station(network: network, mac: frame.destination)]! {
        case .port(port): return Outcome()
        case .port(let other): return Outcome(ports: [other])
        case .host(let host): return Outcome(hosts: [host])
        }
    }

    mutating func fromHost(_ frame: [UInt8], _ host: Int, _ network: Int) -> Outcome {
        guard networksOfHosts[host]?.contains(network) == true, let frame = Frame(frame),
            frame.isFromAStation
        else { return Outcome() }
        let source = Station(network: network, mac: frame.source)
        // Our own stations do not speak from elsewhere.
        if fixedStations.contains(source) { return Outcome() }
        defer { learn(frame, network, .host(host)) }
        if frame.isForMany { return Outcome(ports: portsToFlood(frame, network)) }
        switch places[Station(network: network, mac: frame.destination)] {
        case nil: return Outcome(ports: portsToFlood(frame, network))
        case .port(let port): return Outcome(ports: [port])
        // It came out of a tunnel and goes into none.
        case .host: return Outcome()
        }
    }

    // MARK: Rules

    private func portsToFlood(_ frame: Frame, _ network: Int) -> Set<Int> {
        Set(
            ports.indices.filter {
                ports[$0].network == network && (frame.isForMany || ports[$0].floodsUnknown)
            })
    }

    private func isForged(_ frame: Frame, _ port: Port) -> Bool {
        guard let owner = port.owner else { return false }
        if frame.source != owner.mac { return true }
        if let arp = frame.arp {
            return arp.senderMAC != owner.mac
                || !(arp.senderIP == owner.ip.bits || arp.senderIP == 0 && arp.isQuestion)
        }
        return frame.ipSource.map { $0 != owner.ip.bits } ?? false
    }

    private mutating func learn(_ frame: Frame, _ network: Int, _ place: Place) {
        let station = Station(network: network, mac: frame.source)
        if fixedStations.contains(station) {
            guard places[station] == place else { return }
        } else {
            places[station] = place
        }
        guard let arp = frame.arp, arp.senderMAC == frame.source, arp.senderIP != 0 else { return }
        let address = Address(network: network, ip: arp.senderIP)
        if !fixedAddresses.contains(address) { owners[address] = frame.source }
    }

    private func isAnswered(_ frame: Frame, _ network: Int, _ port: Int) -> Bool {
        guard let arp = frame.arp, arp.isQuestion, frame.destination == .broadcast,
            arp.senderIP != arp.targetIP,
            let owner = owners[Address(network: network, ip: arp.targetIP)]
        else { return false }
        // Who asks whether an address is free is told otherwise by its owner or configuration.
        let isFixed = fixedAddresses.contains(Address(network: network, ip: arp.targetIP))
        if arp.senderIP == 0, !isFixed { return false }
        // Who is behind the asker's port has heard the question and answers for himself.
        return owner != frame.source
            && places[Station(network: network, mac: owner)] != .port(port)
    }

    /// What a switch that also answers ARP reads of a frame.
    private struct Frame {
        let destination: MACAddress
        let source: MACAddress
        var arp: (senderMAC: MACAddress, senderIP: UInt32, targetIP: UInt32, isQuestion: Bool)?
        var ipSource: UInt32?

        var isForMany: Bool { destination.octet(0) % 2 == 1 }
        var isFromAStation: Bool { source.octet(0) % 2 == 0 && source != MACAddress(bits: 0) }

        init?(_ bytes: [UInt8]) {
            guard bytes.count >= 14 else { return nil }
            func number(_ start: Int, _ count: Int) -> UInt64 {
                bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) }
            }
            destination = MACAddress(bits: number(0, 6))
            source = MACAddress(bits: number(6, 6))
            switch number(12, 2) {
            case 0x0806:
                arp = (
                    MACAddress(bits: number(22, 6)), UInt32(number(28, 4)),
                    UInt32(number(38, 4)), number(20, 2) == 1
                )
            case 0x0800: ipSource = UInt32(number(26, 4))
            default: break
            }
        }
    }
}
