import Forwarding
import TestFrames
import Testing
import Wire

/// A port of the fabric, on a host.
struct FabricPort: Hashable {
    var host: Int
    var port: Int
}

/// A VM: what it is and where it is now.
struct FabricVM {
    var network: Int
    var mac: MACAddress
    var ip: IPv4Address
    var at: FabricPort
    /// Its port is for it alone: it never moves, and nobody may speak in its name there.
    var isGuarded: Bool
}

/// Hosts in one process, joined by an underlay that loses, doubles and reorders, and beside each
/// host the reference switch, which sees the same events and must send the same copies.
final class Fabric {
    let seed: UInt64
    let networkCount: Int
    private(set) var hosts: [FabricHost] = []
    private(set) var vms: [FabricVM] = []
    var generator: SeededGenerator
    var underlay: FabricUnderlay
    /// Once in so many frames a port has no room; 0 never.
    var portsRefuseOneIn = 0
    /// Frames for everyone's open ports: where VMs may move to, by network.
    private(set) var openPorts: [[FabricPort]] = []

    private var references: [ReferenceSwitch] = []
    private var networkOfPort: [FabricPort: Int] = [:]
    private var nextID: UInt64 = 0
    /// The port that each frame came from.
    private var origins: [UInt64: FabricPort] = [:]
    /// How often each port received each frame.
    private(set) var deliveries: [UInt64: [FabricPort: Int]] = [:]
    private(set) var failures = 0

    init(hosts count: Int, networks: Int, profile: UnderlayProfile, seed: UInt64) {
        self.seed = seed
        networkCount = networks
        generator = SeededGenerator(seed: seed)
        underlay = FabricUnderlay(profile: profile, seed: ~seed)
        let plan = makePlan(hosts: count)
        for number in 0..<count { addHost(number, plan) }
    }

    // MARK: Building

    /// For each host its ports. Not every host has every network, but each network has two hosts
    /// at least.
    private func makePlan(hosts count: Int) -> [[ReferenceSwitch.Port]] {
        var plan = [[ReferenceSwitch.Port]](repeating: [], count: count)
        openPorts = Array(repeating: [], count: networkCount)
        for network in 0..<networkCount {
            let left = generator.below(count)
            for number in 0..<count {
                let isNeeded = number == left || number == (left + 1) % count
                guard isNeeded || generator.oneIn(2) else { continue }
                for _ in 0...generator.below(2) {
                    openPorts[network].append(FabricPort(host: number, port: plan[number].count))
                    plan[number].append(
                        .init(network: network, owner: nil, floodsUnknown: true))
                }
                for _ in 0..<generator.below(3) {
                    let vm = addVM(
                        network, FabricPort(host: number, port: plan[number].count), true)
                    plan[number].append(
                        .init(
                            network: network, owner: (vm.mac, vm.ip),
                            floodsUnknown: generator.oneIn(2)))
                }
            }
            for _ in 0..<count + 2 {
                let port = openPorts[network][generator.below(openPorts[network].count)]
                _ = addVM(network, port, false)
            }
        }
        return plan
    }

    /// MACs and IPs are the same in all networks, so that a leak between them does harm.
    private func addVM(_ network: Int, _ port: FabricPort, _ isGuarded: Bool) -> FabricVM {
        let number = UInt64(vms.count { $0.network == network } + 1)
        let vm = FabricVM(
            network: network, mac: MACAddress(bits: 0x0200_0000_0000 + number),
            ip: IPv4Address(bits: 0x0a00_0000 + UInt32(number)), at: port, isGuarded: isGuarded)
        vms.append(vm)
        return vm
    }

    private func addHost(_ number: Int, _ plan: [[ReferenceSwitch.Port]]) {
        let peers = plan.indices.filter { $0 != number }
        var description = TopologyDescription()
        // Long, so that nothing ages: time passes quickly here.
        description.networks = (0..<networkCount).map {
            var network = TopologyDescription.Network(vni: 1000 + UInt32($0))
            network.ageing = 1 << 30
            return network
        }
        description.ports = plan[number].map { describe($0) }
        description.peers = peers.map { peer in
            .init(
                address: FabricHost.address(peer),
                networks: Set(plan[peer].map { UInt16($0.network) }).sorted())
        }
        let host = FabricHost(number: number, peers: peers, description)
        for (index, port) in plan[number].enumerated() {
            networkOfPort[FabricPort(host: number, port: index)] = port.network
            guard let owner = port.owner else { continue }
            host.keeper.fix(
                network: UInt16(port.network), mac: owner.mac, addresses: [.v4(owner.ip)],
                at: .port(UInt16(index)))
        }
        host.send = { [unowned self] to, bytes in
            underlay.send(.init(from: number, to: to, bytes: bytes))
        }
        host.deliver = { [unowned self] port, frame, isReply in
            receive(frame, FabricPort(host: number, port: port), isReply: isReply)
        }
        hosts.append(host)
        references.append(
            ReferenceSwitch(
                ports: plan[number],
                networksOfHosts: Dictionary(
                    uniqueKeysWithValues: peers.map { ($0, Set(plan[$0].map(\.network))) })))
    }

    private func describe(_ port: ReferenceSwitch.Port) -> TopologyDescription.Port {
        var entry = TopologyDescription.Port(network: UInt16(port.network))
        entry.floodsUnknown = port.floodsUnknown
        if let owner = port.owner {
            entry.macs = [owner.mac]
            entry.addresses = [.v4(owner.ip)]
        }
        return entry
    }

    // MARK: Events

    /// Sends a frame from a port; the frame's last bytes become its number. Returns the number.
    @discardableResult
    func inject(_ frame: [UInt8], at port: FabricPort) -> UInt64 {
        nextID += 1
        origins[nextID] = port
        let tail = be16(UInt16(networkOfPort[port]!)) + be32(0) + be32(UInt32(nextID))
        let frame = Array(frame.dropLast(tail.count) + tail)
        let predicted = references[port.host].fromPort(frame, port.port)
        let traced = hosts[port.host].trace(frame, port: port.port)
        let outcome = hosts[port.host].fromPort(frame, port: port.port)
        expect(
            outcome == predicted,
            "\(port): \(outcome), should be \(predicted), for \(hexadecimal(frame))")
        expect(traced == outcome, "\(port): \(outcome), but traced \(traced)")
        return nextID
    }

    /// A datagram from any address.
    func injectDatagram(_ bytes: [UInt8], to host: Int, from source: IPAddress) {
        expect(hosts[host].trace(bytes, from: source) == Outcome(), "a stranger's, by its trace")
        let outcome = hosts[host].fromUnderlay(bytes, from: source)
        expect(outcome == Outcome(), "a stranger's datagram got through: \(outcome)")
    }

    func move(_ vm: Int, to port: FabricPort) { vms[vm].at = port }

    /// What is due arrives.
    func advance() {
        for datagram in underlay.advance() { arrive(datagram) }
    }

    /// Until nothing is in flight.
    func settle() {
        while !underlay.isEmpty { advance() }
    }

    private func arrive(_ datagram: FabricUnderlay.Datagram) {
        let network = Int(be(datagram.bytes[4..<7])) - 1000
        let frame = Array(datagram.bytes.dropFirst(8))
        let predicted = references[datagram.to].fromHost(frame, datagram.from, network)
        let source = FabricHost.address(datagram.from)
        let traced = hosts[datagram.to].trace(datagram.bytes, from: source)
        let outcome = hosts[datagram.to].fromUnderlay(datagram.bytes, from: source)
        expect(traced == outcome, "host \(datagram.to): \(outcome), but traced \(traced)")
        expect(outcome.hosts.isEmpty, "from a tunnel into a tunnel: \(outcome)")
        expect(
            outcome == predicted,
            "host \(datagram.to) from \(datagram.from): \(outcome), should be \(predicted)")
    }

    private func receive(_ frame: [UInt8], _ port: FabricPort, isReply: Bool) -> Bool {
        if portsRefuseOneIn > 0, generator.oneIn(portsRefuseOneIn) { return false }
        if isReply { return true }
        let number = be(frame.suffix(4))
        expect(
            be(frame.suffix(10).prefix(2)) == UInt64(networkOfPort[port]!),
            "frame \(number) of another network at \(port)")
        expect(origins[number] != nil && origins[number] != port, "frame \(number) came back")
        deliveries[number, default: [:]][port, default: 0] += 1
        return true
    }

    private func hexadecimal(_ frame: [UInt8]) -> String {
        frame.prefix(42).map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
    }

    private func be(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Records a failure with the seed; the first few only, for one leads to others.
    func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
        guard !condition else { return }
        failures += 1
        if failures <= 3 { Issue.record("\(message()) (WEFT_SEED=\(seed))") }
    }
}
