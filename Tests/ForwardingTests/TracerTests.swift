import Forwarding
import TestFrames
import Testing
import Wire

/// What a trace finds, and that it is what happens. The fabric compares every frame's trace with
/// its fate too.
@Suite("Tracer")
struct TracerTests {
    let a = Station(1)
    let b = Station(2)

    /// A datagram of network 0 with this frame.
    private func datagram(_ frame: [UInt8]) -> [UInt8] { hex("0800 0000 0000 6400") + frame }

    @Test func aStationBehindAPeer() {
        let host = TestHost()
        _ = host.ingress(b.asks(a.ipv4), peer: 1)
        host.now += 7
        let traced = host.trace(a.to(b).udp())
        #expect(traced.verdict == .send(peer: 1))
        #expect(traced.network == 0)
        #expect(traced.source == a.mac)
        #expect(traced.knownSource == nil)
        #expect(traced.knownDestination?.location == .peer(1))
        #expect(traced.knownDestination?.age == 7)
        #expect(traced.legs.map(\.place) == [.peer(1)])
        #expect(traced.legs.first?.limit == 1464)
        #expect(traced.sighting?.endpoint.mac == a.mac)
        #expect(traced.sighting?.location == .port(0))
    }

    @Test func theOuterHeaderFollowsTheFrame() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .peer(0))
        var builder = a.to(b)
        builder.tos = 3
        let frame = builder.udp()
        let traced = host.trace(frame)
        #expect(traced.knownDestination == TracedFrame.Known((.peer(0, fixed: true), 0), now: 0))
        #expect(traced.mark == 3)
        let layout = frame.withUnsafeBytes {
            FrameLayout.parse($0.baseAddress!, length: $0.count)
        }
        #expect(traced.layout == layout)
        #expect(traced.flowHash == frame.withUnsafeBytes { FlowHash.of($0.baseAddress!, layout!) })
        builder.destinationPort += 1
        #expect(host.trace(builder.udp()).flowHash != traced.flowHash)
    }

    @Test func aFloodNamesWhoGetsACopy() {
        let host = TestHost {
            $0.ports[1]?.floodsUnknown = false
            $0.peers[0]?.maximumFrame = 50
        }
        let unknown = host.trace(a.to(b).udp(payload: payloadBytes(100)))
        #expect(unknown.verdict == .flood)
        #expect(unknown.legs.map(\.place) == [.port(2), .peer(0), .peer(1)])
        #expect(unknown.legs.map(\.drop) == [nil, .tooBig, nil])
        let everyone = host.trace(a.broadcast.udp())
        #expect(everyone.legs.map(\.place) == [.port(1), .port(2), .peer(0), .peer(1)])
        // Never from tunnel to tunnel.
        let arrived = host.trace(datagram(a.broadcast.udp()), peer: 0)
        #expect(arrived.legs.map(\.place) == [.port(0), .port(1), .port(2)])
    }

    @Test func aFloodThatReachesNobodyIsADrop() {
        let host = TestHost { $0.peers[1]?.networks = [0] }
        let traced = host.trace(a.broadcast.udp(), port: 3)
        #expect(traced.verdict == .drop(.nobodyToFlood))
        #expect(traced.legs.isEmpty)
    }

    @Test func aQuestionAndItsAnswer() {
        let host = TestHost()
        let asked = host.trace(a.asks(b.ipv4))
        #expect(asked.question?.target == IPv6Address(mapping: b.ipv4))
        #expect(asked.question?.owner == nil)
        #expect(asked.verdict == .flood)
        _ = host.ingress(b.asks(a.ipv4), peer: 0)
        let known = host.trace(a.asks(b.ipv4))
        #expect(known.question?.owner?.mac == b.mac)
        #expect(known.question?.place == .peer(0))
        #expect(known.reply == host.reply(host.egress(a.asks(b.ipv4))))
        #expect(known.reply != nil)
        #expect(host.trace(a.solicits(b.ipv6)).question?.target == b.ipv6)
    }

    @Test func aSuperframeIsCut() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .peer(0))
        let builder = a.to(b)
        let frame = builder.tcp(payload: payloadBytes(10_000))
        let traced = host.trace(frame, builder.virtio(size: 1400))
        #expect(traced.verdict == .send(peer: 0))
        #expect(traced.cut?.frames == 8)
        #expect(traced.cut?.longest == 1454)
        // As many datagrams of 1462 bytes as go into one message.
        #expect(traced.cut?.perMessage == 44)
        let tooLong = host.trace(frame, builder.virtio(size: 1430))
        #expect(tooLong.verdict == .drop(.tooBig))
        let refused = host.trace(frame, builder.virtio(.udp, size: 1400))
        #expect(refused.verdict == .drop(.malformedOffload))
        #expect(refused.refusal == .protocolMismatch)
        let most = builder.tcp(payload: payloadBytes(8 * 1400))
        #expect(host.trace(most, builder.virtio(size: 8)).verdict == .send(peer: 0))
        let more = builder.tcp(payload: payloadBytes(8 * 1400 + 1))
        #expect(host.trace(more, builder.virtio(size: 8)).verdict == .drop(.malformedOffload))
    }

    @Test func aDatagramThatIsNotAdmitted() {
        let host = TestHost()
        let frame = a.to(b).udp()
        let stranger = Tracer.fromUnderlay(
            datagram(frame), from: .v4(IPv4Address(bits: 0xac10_0009)), host.keeper, now: 1)
        #expect(stranger.verdict == .drop(.unknownPeer))
        #expect(stranger.peer == nil)
        let notMember = host.trace(hex("0800 0000 0000 c800") + frame, peer: 0)
        #expect(notMember.verdict == .drop(.peerNotInNetwork))
        #expect(notMember.peer == 0)
        #expect(notMember.network == nil)
        #expect(host.trace([], peer: 0).verdict == .drop(.notVXLAN))
        #expect(host.trace(datagram([1, 2]), peer: 0).verdict == .drop(.runtFrame))
        #expect(host.trace([], port: 0).verdict == .drop(.runtFrame))
    }

    @Test func nothingIsLearnedCountedOrReported() {
        let host = TestHost()
        _ = host.ingress(b.asks(a.ipv4), peer: 0)
        let totals = Total.allCases.map { host.counters.read($0) }
        let drops = Drop.allCases.map { host.counters.read(drop: $0) }
        for frame in [a.asks(b.ipv4), a.to(b).udp(), b.to(a).udp(), a.broadcast.udp(), [0]] {
            _ = host.trace(frame)
            _ = host.trace(datagram(frame), peer: 1)
        }
        #expect(host.queue.isEmpty)
        host.keeper.applySightings(now: host.now)
        #expect(host.location(a.mac) == nil)
        #expect(host.neighbor(.v4(a.ipv4)) == nil)
        #expect(host.location(b.mac) == .peer(0), "traced from elsewhere")
        #expect(host.keeper.endpoints.count == 1)
        #expect(host.keeper.moves == 0)
        #expect(Total.allCases.map { host.counters.read($0) } == totals)
        #expect(Drop.allCases.map { host.counters.read(drop: $0) } == drops)
    }

    @Test("of any frame what it says is what happens") func agreement() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let corpus = HostileFrameTests().corpus()
        let host = HostileFrameTests().host()
        var verdicts: Set<String> = []
        for _ in 0..<20_000 {
            let frame = HostileFrameTests().mutate(
                corpus[generator.below(corpus.count)], &generator)
            guard frame.count >= 14 else { continue }
            host.now += 1
            let number = UInt16(generator.below(3))
            if generator.oneIn(2) {
                let traced = host.trace(frame, port: number)
                let verdict = host.egress(frame, port: number)
                #expect(traced.verdict == verdict, "WEFT_SEED=\(seed): \(frame)")
                #expect(traced.reply == host.reply(verdict), "WEFT_SEED=\(seed): \(frame)")
                verdicts.insert("\(verdict)")
            } else {
                let peer = Int(number) % 2
                let traced = host.trace(datagram(frame), peer: peer)
                let verdict = host.ingress(frame, peer: UInt16(peer))
                #expect(traced.verdict == verdict, "WEFT_SEED=\(seed): \(frame)")
                verdicts.insert("\(verdict)")
            }
        }
        #expect(verdicts.count > 8, "too much of one kind: \(verdicts) (WEFT_SEED=\(seed))")
    }
}
