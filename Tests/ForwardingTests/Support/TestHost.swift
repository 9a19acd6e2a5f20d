import Forwarding
import TestFrames
import Wire

/// One host's tables with one worker's view of them, and room for a frame: what a rule of
/// forwarding is tested with.
///
/// Network 0 has VNI 100, ports 0, 1 and 2 and peers 0 and 1; network 1 has VNI 200, port 3 and
/// peer 1. Change `description` and call `publish` for anything else.
final class TestHost {
    static let capacity = 70_000

    let keeper: TableKeeper
    let counters = Counters(portCapacity: 8, peerCapacity: 8)
    let queue: LearningQueue
    let reader: Reader
    var description: TopologyDescription
    var now: UInt32 = 1000
    /// With room in front for what stands before a frame.
    let room = UnsafeMutableRawPointer.allocate(byteCount: TestHost.capacity, alignment: 64)
    var frame: UnsafeMutableRawPointer { room + 64 }

    init(endpointLimit: Int = 1 << 20, _ change: (inout TopologyDescription) -> Void = { _ in }) {
        keeper = TableKeeper(endpointLimit: endpointLimit)
        (queue, reader) = keeper.addWorker()
        description = TopologyDescription()
        description.networks = [.init(vni: 100), .init(vni: 200)]
        description.ports = [0, 0, 0, 1].map { .init(network: $0) }
        description.peers = [
            .init(address: .v4(IPv4Address(bits: 0xac10_0001)), networks: [0]),
            .init(address: .v4(IPv4Address(bits: 0xac10_0002)), networks: [0, 1]),
        ]
        change(&description)
        publish()
    }

    deinit {
        room.deallocate()
        counters.deallocate()
        queue.deallocate()
    }

    func publish() { keeper.publish(description) }

    func change(_ body: (inout TopologyDescription) -> Void) {
        body(&description)
        publish()
    }

    /// A view as a worker takes it at the top of a turn.
    var view: ForwardingView {
        reader.quiescent()
        return ForwardingView(
            topology: keeper.topology.view, endpoints: keeper.endpoints.view,
            neighbors: keeper.neighbors.view, counters: counters, learning: queue, now: now)
    }

    /// A frame from a port; then everything that was reported is applied.
    func egress(_ bytes: [UInt8], port: UInt16 = 0, wireLength: Int? = nil) -> Verdict {
        let layout = place(bytes)
        let verdict = Egress.decide(
            frame, length: bytes.count, wireLength: wireLength ?? bytes.count, layout: layout,
            port: port, view)
        keeper.applySightings(now: now)
        return verdict
    }

    /// A frame from a peer; then everything that was reported is applied.
    func ingress(
        _ bytes: [UInt8], peer: UInt16 = 0, network: UInt16 = 0, tos: UInt8 = 0
    ) -> Verdict {
        let layout = place(bytes)
        let verdict = Ingress.decide(
            frame, layout: layout, outerTOS: tos, peer: peer, network: network, view)
        keeper.applySightings(now: now)
        return verdict
    }

    func admit(_ datagram: [UInt8], peer: UInt16 = 0) -> Ingress.Admission {
        datagram.withUnsafeBytes {
            Ingress.admit($0.baseAddress!, length: $0.count, peer: peer, view)
        }
    }

    /// What a trace says of a frame from a port.
    func trace(
        _ bytes: [UInt8], _ virtio: VirtioHeader = VirtioHeader(), port: UInt16 = 0
    ) -> TracedFrame {
        Tracer.fromPort(
            bytes, virtio, port: port, Tracer.Limits(frames: 1400, messageBytes: 65507), keeper,
            now: now)
    }

    /// What a trace says of a datagram from a peer.
    func trace(_ datagram: [UInt8], peer: Int) -> TracedFrame {
        Tracer.fromUnderlay(
            datagram, from: description.peers[peer]!.address, keeper, now: now)
    }

    /// What the frame's memory holds now.
    func bytes(_ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: frame, count: count))
    }

    /// The reply that a verdict says there is.
    func reply(_ verdict: Verdict) -> [UInt8]? {
        guard case .reply(let length) = verdict else { return nil }
        return bytes(Int(length))
    }

    func location(_ mac: MACAddress, network: UInt16 = 0) -> Location? {
        keeper.endpoints.view.lookup(EndpointKey(network: network, mac: mac))?.location
    }

    func neighbor(_ address: IPAddress, network: UInt16 = 0) -> MACAddress? {
        keeper.neighbors.get(NeighborKey(network: network, address: address))?.mac
    }

    private func place(_ bytes: [UInt8]) -> FrameLayout {
        bytes.withUnsafeBytes { frame.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        return FrameLayout.parse(frame, length: bytes.count)!
    }
}

/// Station `number` of the tests: its MAC and addresses follow from the number.
struct Station: Hashable {
    let number: UInt8

    init(_ number: UInt8) { self.number = number }

    var mac: MACAddress { MACAddress(bits: 0x0200_0a00_0000 | UInt64(number)) }
    var ipv4: IPv4Address { IPv4Address(bits: 0x0a00_0000 | UInt32(number)) }
    var ipv6: IPv6Address { IPv6Address(high: 0xfd00 << 48, low: UInt64(number)) }
    var linkLocal: IPv6Address {
        // Modified EUI-64 of 02:00:0a:00:00:xx.
        IPv6Address(high: 0xfe80 << 48, low: 0x0000_0aff_fe00_0000 | UInt64(number))
    }

    /// Frames to another station, over IPv4.
    func to(_ other: Station) -> FrameBuilder {
        var builder = FrameBuilder.ipv4
        builder.sourceMAC = mac
        builder.destinationMAC = other.mac
        builder.source = .v4(ipv4)
        builder.destination = .v4(other.ipv4)
        return builder
    }

    /// Frames to another station, over IPv6.
    func to6(_ other: Station) -> FrameBuilder {
        var builder = to(other)
        builder.source = .v6(ipv6)
        builder.destination = .v6(other.ipv6)
        return builder
    }

    var broadcast: FrameBuilder {
        var builder = to(self)
        builder.destinationMAC = .broadcast
        builder.destination = .v4(IPv4Address(bits: .max))
        return builder
    }

    /// "Who has `target`?" with the sender address `from`, this station's if nil.
    func asks(_ target: IPv4Address, from sender: IPv4Address? = nil) -> [UInt8] {
        broadcast.arp(
            operation: 1, senderMAC: mac, senderIP: sender ?? ipv4,
            targetMAC: MACAddress(bits: 0), targetIP: target)
    }

    /// A solicitation to the target's solicited-node group (RFC 4861 section 7.2.2).
    func solicits(_ target: IPv6Address, from sender: IPv6Address? = nil) -> [UInt8] {
        solicitation(target, from: sender).neighborSolicitation(
            target: target, sourceLinkLayer: sender == .any ? nil : mac)
    }

    /// "I have `target`", to all nodes. `flags`: R 0x80, S 0x40, O 0x20.
    func advertises(
        _ target: IPv6Address, from sender: IPv6Address? = nil, flags: UInt8 = 0x20
    ) -> [UInt8] {
        var builder = solicitation(target, from: sender)
        builder.destinationMAC = MACAddress(bits: 0x3333_0000_0001)
        builder.destination = .v6(IPv6Address(high: 0xff02 << 48, low: 1))
        return builder.neighborAdvertisement(target: target, flags: flags, targetLinkLayer: mac)
    }

    func solicitation(_ target: IPv6Address, from sender: IPv6Address? = nil) -> FrameBuilder {
        var builder = to6(self)
        builder.destinationMAC = MACAddress(bits: 0x3333_ff00_0000 | target.low & 0xff_ffff)
        builder.source = .v6(sender ?? ipv6)
        builder.destination = .v6(
            IPv6Address(high: 0xff02 << 48, low: 0x1_ff00_0000 | target.low & 0xff_ffff))
        builder.ttl = 255
        return builder
    }
}
