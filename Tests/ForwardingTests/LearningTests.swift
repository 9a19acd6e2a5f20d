import Forwarding
import TestFrames
import Testing
import Wire

/// What a host makes of the sources that it sees.
@Suite("Learning")
struct LearningTests {
    let a = Station(1)
    let b = Station(2)

    func seen(_ host: TestHost, _ mac: MACAddress) -> UInt32? {
        host.keeper.endpoints.view.lookup(EndpointKey(network: 0, mac: mac))?.seen
    }

    @Test func movesAreFollowed() {
        let host = TestHost()
        let frame = a.to(b).udp()
        _ = host.egress(frame, port: 0)
        #expect(host.location(a.mac) == .port(0))
        _ = host.egress(frame, port: 2)
        #expect(host.location(a.mac) == .port(2))
        _ = host.ingress(frame, peer: 1)
        #expect(host.location(a.mac) == .peer(1))
        _ = host.ingress(frame, peer: 0)
        #expect(host.location(a.mac) == .peer(0))
        host.now += 1
        _ = host.egress(frame, port: 0)
        #expect(host.location(a.mac) == .port(0))
        #expect(host.keeper.moves == 4)
        #expect(host.keeper.endpoints.count == 1)
    }

    @Test func nothingIsReportedOfWhatIsKnown() {
        let host = TestHost()
        _ = host.egress(a.to(b).udp())
        let frame = a.to(b).udp()
        frame.withUnsafeBytes {
            let copy = UnsafeMutableRawPointer(mutating: $0.baseAddress!)
            let layout = FrameLayout.parse(copy, length: $0.count)!
            _ = Egress.decide(
                copy, length: $0.count, wireLength: $0.count, layout: layout, port: 0, host.view)
        }
        #expect(host.queue.isEmpty)
    }

    @Test func ageIsRefreshedWellBeforeItRunsOut() {
        let host = TestHost { $0.networks[0]?.ageing = 80 }
        _ = host.egress(a.to(b).udp())
        let start = host.now
        host.now = start + 9
        _ = host.egress(a.to(b).udp())
        #expect(seen(host, a.mac) == start, "fresh still")
        host.now = start + 10
        _ = host.egress(a.to(b).udp())
        #expect(seen(host, a.mac) == start + 10)
    }

    @Test func fixedEndpointsDoNotMove() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: a.mac, addresses: [.v4(a.ipv4)], at: .port(1))
        host.keeper.fix(network: 0, mac: b.mac, addresses: [.v4(b.ipv4)], at: .peer(1))
        _ = host.egress(a.to(b).udp(), port: 0)
        _ = host.egress(a.asks(Station(7).ipv4), port: 0)
        _ = host.ingress(b.to(a).udp(), peer: 0)
        _ = host.egress(b.to(a).udp(), port: 0)
        #expect(host.location(a.mac) == .port(1, fixed: true))
        #expect(host.location(b.mac) == .peer(1, fixed: true))
        #expect(host.keeper.moves == 0)
    }

    @Test func fixedNeighboursDoNotChange() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: a.mac, addresses: [.v4(a.ipv4)], at: .port(1))
        _ = host.ingress(b.asks(Station(7).ipv4, from: a.ipv4))
        #expect(host.neighbor(.v4(a.ipv4)) == a.mac)
    }

    @Test func fixedEndpointsAreNotAged() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: a.mac, addresses: [.v4(a.ipv4)], at: .port(1))
        for _ in 0..<40 { host.keeper.age(now: 1_000_000) }
        #expect(host.location(a.mac) != nil)
        #expect(host.neighbor(.v4(a.ipv4)) == a.mac)
    }

    @Test func addressesAreLearnedFromARP() {
        let host = TestHost()
        _ = host.egress(a.asks(b.ipv4))
        #expect(host.neighbor(.v4(a.ipv4)) == a.mac)
        let reply = b.to(a).arp(
            operation: 2, senderMAC: b.mac, senderIP: b.ipv4, targetMAC: a.mac, targetIP: a.ipv4)
        _ = host.ingress(reply)
        #expect(host.neighbor(.v4(b.ipv4)) == b.mac)
    }

    @Test func arpThatNamesAnotherMACTeachesNoAddress() {
        let host = TestHost()
        let frame = a.broadcast.arp(
            operation: 1, senderMAC: b.mac, senderIP: b.ipv4, targetMAC: .zero,
            targetIP: Station(7).ipv4)
        _ = host.egress(frame)
        #expect(host.neighbor(.v4(b.ipv4)) == nil)
        _ = host.egress(a.asks(b.ipv4, from: .any))
        #expect(host.neighbor(.v4(.any)) == nil)
    }

    @Test func addressesAreLearnedFromND() {
        let host = TestHost()
        _ = host.egress(a.solicits(b.ipv6))
        #expect(host.neighbor(.v6(a.ipv6)) == a.mac)
        _ = host.egress(a.solicits(Station(5).ipv6, from: .any))
        #expect(host.neighbor(.v6(Station(5).ipv6)) == nil, "detection claims nothing yet")
        var builder = b.to6(a)
        builder.ttl = 255
        _ = host.ingress(builder.neighborAdvertisement(target: b.linkLocal))
        #expect(host.neighbor(.v6(b.linkLocal)) == b.mac)
        builder.ttl = 64
        _ = host.ingress(builder.neighborAdvertisement(target: Station(6).ipv6))
        #expect(host.neighbor(.v6(Station(6).ipv6)) == nil, "from off the link")
    }

    @Test func fragmentedNDTeachesNothing() {
        let host = TestHost()
        var builder = b.to6(a)
        builder.ttl = 255
        let message = Array(builder.neighborAdvertisement(target: b.ipv6).dropFirst(54))
        _ = host.ingress(builder.ip(proto: 44, hex("3a00 0001 0000 0007") + message))
        #expect(host.neighbor(.v6(b.ipv6)) == nil)
    }

    /// The table writes IPv4 addresses as ::ffff:a.b.c.d; ND must not reach them.
    @Test func ndTeachesNoIPv4Address() {
        let host = TestHost()
        let mapped = IPv6Address(mapping: a.ipv4)
        _ = host.ingress(b.solicits(Station(7).ipv6, from: mapped))
        var builder = b.to6(a)
        builder.ttl = 255
        _ = host.ingress(builder.neighborAdvertisement(target: mapped))
        #expect(host.neighbor(.v4(a.ipv4)) == nil)
    }

    @Test func addressThatChangesItsMACIsFollowed() {
        let host = TestHost()
        _ = host.egress(a.asks(b.ipv4))
        _ = host.egress(Station(3).asks(b.ipv4, from: a.ipv4), port: 1)
        #expect(host.neighbor(.v4(a.ipv4)) == Station(3).mac)
    }

    @Test func placeThatIsGoneIsForgottenButNotWhatIsFixedThere() {
        let host = TestHost()
        _ = host.egress(a.to(b).udp(), port: 1)
        _ = host.egress(Station(3).to(b).udp(), port: 2)
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .port(1))
        host.keeper.forget([.port(1)])
        #expect(host.location(a.mac) == nil)
        #expect(host.location(Station(3).mac) == .port(2))
        #expect(host.location(b.mac) == .port(1, fixed: true))
    }

    @Test func fullTableTakesNoMoreAndForwardingGoesOn() {
        // Ten for each of the two networks.
        let host = TestHost(endpointLimit: 20)
        for number in 1...20 {
            let station = Station(UInt8(number))
            #expect(host.egress(station.asks(Station(99).ipv4)) == .flood)
        }
        #expect(host.keeper.endpoints.count == 10)
        #expect(host.keeper.neighbors.count == 10)
        #expect(host.keeper.refused == 10)
        _ = host.egress(Station(30).asks(Station(99).ipv4), port: 3)
        #expect(host.location(Station(30).mac, network: 1) == .port(3), "another's share is free")
        #expect(host.egress(Station(1).to(Station(20)).udp(), port: 1) == .flood)
        #expect(host.location(Station(1).mac) == .port(1), "what is known still moves")
        _ = host.egress(Station(2).asks(Station(99).ipv4, from: Station(1).ipv4))
        #expect(host.neighbor(.v4(Station(1).ipv4)) == Station(2).mac)
    }
}
