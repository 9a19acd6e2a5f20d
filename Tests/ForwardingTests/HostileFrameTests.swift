import Forwarding
import TestFrames
import Testing
import Wire

/// Frames that nobody would send who means well, right before a page that must not be read.
@Suite("Hostile frames")
struct HostileFrameTests {
    static let count = 200_000
    let a = Station(1)
    let b = Station(2)

    /// Everything that some rule looks at.
    func corpus() -> [[UInt8]] {
        var tagged = a.to(b)
        tagged.tags = [5, 6]
        var optioned = a.to(b)
        optioned.ipv4Options = [UInt8](repeating: 1, count: 40)
        var advertiser = a.to6(b)
        advertiser.ttl = 255
        let solicitation = a.solicits(b.ipv6)
        let message = Array(solicitation.dropFirst(54))
        let options = hex("3a00 0104 0000 0000")
        return [
            a.to(b).udp(payload: payloadBytes(20)), a.to(b).tcp(payload: payloadBytes(1400)),
            a.to6(b).tcp(payload: payloadBytes(1400)), a.to6(b).udp(), tagged.udp(),
            tagged.tcp(payload: payloadBytes(1400)), optioned.udp(payload: payloadBytes(1400)),
            a.to(b).icmpEcho(payload: payloadBytes(1400)), a.asks(b.ipv4), a.asks(a.ipv4),
            solicitation, a.solicits(b.ipv6, from: .any), a.broadcast.udp(),
            advertiser.neighborAdvertisement(target: a.ipv6, targetLinkLayer: a.mac),
            a.solicitation(b.ipv6).ip(proto: 0, options + message),
            a.to6(b).ip(proto: 44, hex("1100 0001 0000 0001") + payloadBytes(40)),
            a.to6(b).ip(proto: 60, hex("3c00 0104 0000 0000 2b00 0104 0000 0000") + options),
            a.to(b).ip(proto: 17, payloadBytes(60), fragment: 0x2001),
            b.to(a).udp(), b.asks(a.ipv4),
        ]
    }

    /// Some bytes changed, cut off or added; one in eight is noise alone.
    func mutate(_ frame: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        if generator.oneIn(8) { return generator.bytes(generator.below(100)) }
        var frame = frame
        for _ in 0..<generator.below(5) {
            // Headers more than payload.
            let index = generator.below(generator.oneIn(4) ? frame.count : min(80, frame.count))
            let special: [UInt8] = [0, 1, 0x3c, 0x40, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xff]
            frame[index] =
                generator.oneIn(2)
                ? special[generator.below(special.count)] : UInt8(generator.below(256))
        }
        switch generator.below(4) {
        case 0: frame.removeLast(generator.below(frame.count))
        case 1: frame.removeLast(generator.below(min(24, frame.count)))
        case 2: frame += generator.bytes(generator.below(40))
        default: break
        }
        return frame
    }

    func host() -> TestHost {
        let host = TestHost {
            $0.networks[0]?.gateway = IPv4Address(bits: 0x0a00_00fe)
            $0.networks[0]?.gatewayIPv6 = IPv6Address(high: 0xfd00 << 48, low: 0xfe)
            $0.networks[0]?.passesVLAN = true
            $0.ports[1]?.macs = [a.mac]
            $0.ports[1]?.addresses = [.v4(a.ipv4), .v6(a.ipv6)]
            $0.peers[0]?.maximumFrame = 1300
        }
        host.keeper.fix(
            network: 0, mac: b.mac, addresses: [.v4(b.ipv4), .v6(b.ipv6)], at: .peer(0))
        return host
    }

    /// What a layout promises: every offset with its fixed header inside the frame.
    func isSound(_ layout: FrameLayout, _ length: Int) -> Bool {
        let network = Int(layout.networkOffset)
        let transport = Int(layout.transportOffset)
        let networkHeader =
            switch layout.network {
            case .ipv4: 20
            case .ipv6: 40
            case .arp: 28
            case .other: 0
            }
        let transportHeader =
            switch layout.transport {
            case .tcp: 20
            case .udp: 8
            case .icmp, .icmpv6: 4
            default: 0
            }
        return network >= 14 && network + networkHeader <= layout.packetEnd
            && layout.packetEnd <= length
            && (transport == 0) == (layout.transport == .none)
            && (transport == 0 || transport >= network + networkHeader)
            && transport + transportHeader <= layout.packetEnd
    }

    @Test func parseStaysInside() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let corpus = corpus()
        let memory = GuardedMemory(capacity: 4096)
        for round in 0..<Self.count {
            let frame = mutate(corpus[generator.below(corpus.count)], &generator)
            let start = memory.place(frame)
            let layout = FrameLayout.parse(start, length: frame.count)
            guard let layout else {
                if frame.count >= 14 { Issue.record("no frame: \(round), seed \(seed)") }
                continue
            }
            if !isSound(layout, frame.count) {
                Issue.record("\(layout) of \(frame), round \(round), seed \(seed)")
                return
            }
            _ = ECN.encapsulate(start, layout)
        }
    }

    @Test func egressStaysInsideItsRoom() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let corpus = corpus()
        let memory = GuardedMemory(capacity: 4096)
        let host = host()
        var replies = 0
        var drops: Set<Drop> = []
        for round in 0..<Self.count {
            let frame = mutate(corpus[generator.below(corpus.count)], &generator)
            let start = memory.place(frame, room: Egress.replyCapacity)
            guard let layout = FrameLayout.parse(start, length: frame.count) else { continue }
            let verdict = Egress.decide(
                start, length: frame.count,
                wireLength: generator.oneIn(8) ? generator.below(70_000) : frame.count,
                layout: layout, port: UInt16(generator.below(4)), host.view)
            switch verdict {
            case .reply(let length):
                replies += 1
                if length < 42 || Int(length) > Egress.replyCapacity {
                    Issue.record("reply of \(length), round \(round), seed \(seed)")
                }
            case .deliver(let port): #expect(port < 4, "seed \(seed)")
            case .send(let peer): #expect(peer < 2, "seed \(seed)")
            case .drop(let reason): drops.insert(reason)
            case .flood: break
            }
            if round % 500 == 0 {
                host.now += 1
                host.keeper.applySightings(now: host.now)
            }
        }
        #expect(replies > 100)
        #expect(drops.isSuperset(of: [.invalidSourceMAC, .spoofedMAC, .spoofedIP, .tooBig]))
    }

    @Test func ingressStaysInsideTheDatagram() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let corpus = corpus()
        let memory = GuardedMemory(capacity: 4096)
        let host = host()
        host.keeper.fix(network: 0, mac: Station(3).mac, addresses: [], at: .port(2))
        var admitted = 0
        for round in 0..<Self.count {
            var datagram = hex("0800 0000 0000 6400")
            datagram += mutate(corpus[generator.below(corpus.count)], &generator)
            if generator.oneIn(16) { datagram = mutate(datagram, &generator) }
            let start = memory.place(datagram)
            let peer = UInt16(generator.below(2))
            let admission = Ingress.admit(
                start, length: datagram.count, peer: peer, host.view)
            guard case .network(let network) = admission else { continue }
            admitted += 1
            let length = datagram.count - 8
            guard let layout = FrameLayout.parse(start + 8, length: length) else { continue }
            let verdict = Ingress.decide(
                start + 8, layout: layout, outerTOS: UInt8(generator.below(256)), peer: peer,
                network: network, host.view)
            switch verdict {
            case .send, .reply: Issue.record("\(verdict), round \(round), seed \(seed)")
            case .deliver(let port): #expect(port < 4, "seed \(seed)")
            case .flood, .drop: break
            }
            if round % 500 == 0 {
                host.now += 1
                host.keeper.applySightings(now: host.now)
            }
        }
        #expect(admitted > Self.count / 2)
    }
}
