import Forwarding
import TestFrames
import Testing
import Wire

/// ARP and ND answered at the source: station 1 asks on port 0, station 2 is known behind a peer.
@Suite("Neighbour proxy")
struct NeighborProxyTests {
    let a = Station(1)
    let b = Station(2)

    func host(_ change: (inout TopologyDescription) -> Void = { _ in }) -> TestHost {
        let host = TestHost(change)
        host.keeper.fix(
            network: 0, mac: b.mac, addresses: [.v4(b.ipv4), .v6(b.ipv6)], at: .peer(0))
        return host
    }

    // MARK: ARP

    @Test func arpIsAnswered() {
        let host = host()
        let reply = host.reply(host.egress(a.asks(b.ipv4)))
        #expect(
            reply
                == hex(
                    """
                    0200 0a00 0001 0200 0a00 0002 0806
                    0001 0800 0604 0002
                    0200 0a00 0002 0a00 0002
                    0200 0a00 0001 0a00 0001
                    """))
    }

    @Test func answerDropsThePaddingAndKeepsTheTags() {
        let host = host { $0.networks[0]?.passesVLAN = true }
        let padding = [UInt8](repeating: 0xee, count: 18)
        #expect(host.reply(host.egress(a.asks(b.ipv4) + padding))?.count == 42)
        let tagged = Array(a.asks(b.ipv4)[..<12]) + hex("8100 6064") + a.asks(b.ipv4)[12...]
        let reply = host.reply(host.egress(tagged))
        #expect(reply?.count == 46)
        #expect(reply.map { Array($0[12..<18]) } == hex("8100 6064 0806"))
    }

    @Test func arpProbeIsAnsweredSoThatTheAddressIsNotTaken() {
        let host = host()
        let reply = host.reply(host.egress(a.asks(b.ipv4, from: .any)))
        #expect(
            reply.map { Array($0[14...]) }
                == hex(
                    """
                    0001 0800 0604 0002 0200 0a00 0002 0a00 0002
                    0200 0a00 0001 0000 0000
                    """))
    }

    @Test func stationsBehindOnePortAnswerEachOther() {
        let c = Station(3)
        let host = host()
        host.keeper.fix(
            network: 0, mac: c.mac, addresses: [.v4(c.ipv4), .v6(c.ipv6)], at: .port(0))
        #expect(host.egress(a.asks(c.ipv4)) == .flood)
        #expect(host.egress(a.solicits(c.ipv6)) == .flood)
        #expect(host.reply(host.egress(Station(4).asks(c.ipv4), port: 1)) != nil)
    }

    @Test func gratuitousARPIsFloodedAndNotAnswered() {
        #expect(host().egress(a.asks(a.ipv4)) == .flood)
        // Even for an address that we think is another's: the station announces it.
        #expect(host().egress(a.asks(b.ipv4, from: b.ipv4)) == .flood)
    }

    @Test func ownAddressIsNotAnswered() {
        let host = host()
        _ = host.egress(a.asks(Station(7).ipv4))
        #expect(host.neighbor(.v4(a.ipv4)) == a.mac)
        #expect(host.egress(a.asks(a.ipv4, from: .any)) == .flood)
    }

    @Test func unknownAddressIsFlooded() {
        #expect(host().egress(a.asks(Station(7).ipv4)) == .flood)
    }

    @Test func ownerBehindTheAskersPortAnswersForHimself() {
        let host = TestHost()
        _ = host.egress(b.asks(Station(7).ipv4))
        _ = host.egress(b.advertises(b.ipv6))
        #expect(host.neighbor(.v4(b.ipv4)) == b.mac)
        #expect(host.egress(a.asks(b.ipv4)) == .flood)
        #expect(host.egress(a.solicits(b.ipv6)) == .flood)
        #expect(host.reply(host.egress(a.asks(b.ipv4), port: 1)) != nil)
        #expect(host.reply(host.egress(a.solicits(b.ipv6), port: 1)) != nil)
    }

    @Test func probeIsNotAnsweredFromMemory() {
        let host = TestHost()
        _ = host.egress(b.asks(Station(7).ipv4), port: 1)
        _ = host.egress(b.advertises(b.ipv6), port: 1)
        #expect(host.reply(host.egress(a.asks(b.ipv4))) != nil)
        #expect(host.reply(host.egress(a.solicits(b.ipv6))) != nil)
        // The station may be gone, and its address be given to the asker.
        #expect(host.egress(a.asks(b.ipv4, from: .any)) == .flood)
        #expect(host.egress(a.solicits(b.ipv6, from: .any)) == .flood)
    }

    @Test func roleOfALearnedNeighbourMustBeKnown() {
        let host = TestHost()
        _ = host.egress(b.solicits(Station(7).ipv6), port: 1)
        #expect(host.neighbor(.v6(b.ipv6)) == b.mac)
        #expect(host.egress(a.solicits(b.ipv6)) == .flood)
        _ = host.egress(b.advertises(b.ipv6), port: 1)
        #expect(host.reply(host.egress(a.solicits(b.ipv6))).map { $0[58] } == 0x60)
    }

    @Test func routerStaysARouterInOurAnswers() {
        let host = host()
        #expect(host.reply(host.egress(a.solicits(b.ipv6))).map { $0[58] } == 0x60)
        _ = host.ingress(b.advertises(b.ipv6, flags: 0xe0))
        #expect(host.reply(host.egress(a.solicits(b.ipv6))).map { $0[58] } == 0xe0)
        // What it says without the flag later does not count as silence.
        _ = host.ingress(b.solicits(Station(7).ipv6))
        #expect(host.reply(host.egress(a.solicits(b.ipv6))).map { $0[58] } == 0xe0)
    }

    @Test func advertisementFromNoAddressTeachesNothing() {
        let host = TestHost()
        _ = host.egress(b.advertises(b.ipv6, from: .any), port: 1)
        #expect(host.neighbor(.v6(b.ipv6)) == nil)
    }

    @Test func otherNetworksNeighboursAreUnknown() {
        #expect(host().egress(a.asks(b.ipv4), port: 3) == .flood)
    }

    @Test func answersAreLeftAlone() {
        let reply = a.broadcast.arp(
            operation: 2, senderMAC: a.mac, senderIP: a.ipv4, targetMAC: b.mac, targetIP: b.ipv4)
        #expect(host().egress(reply) == .flood)
    }

    @Test func questionToAStationIsItsToAnswer() {
        let probe = a.to(b).arp(
            operation: 1, senderMAC: a.mac, senderIP: a.ipv4, targetMAC: .zero, targetIP: b.ipv4)
        #expect(host().egress(probe) == .send(peer: 0))
    }

    @Test func nothingIsAnsweredWhereItIsOff() {
        let host = host { $0.networks[0]?.answersNeighbors = false }
        #expect(host.egress(a.asks(b.ipv4)) == .flood)
        #expect(host.egress(a.solicits(b.ipv6)) == .flood)
    }

    // MARK: ND

    @Test func solicitationIsAnswered() throws {
        let host = host()
        let reply = try #require(host.reply(host.egress(a.solicits(b.ipv6))))
        #expect(
            Array(reply[..<54])
                == hex(
                    """
                    0200 0a00 0001 0200 0a00 0002 86dd
                    6000 0000 0020 3aff
                    fd00 0000 0000 0000 0000 0000 0000 0002
                    fd00 0000 0000 0000 0000 0000 0000 0001
                    """))
        #expect(Array(reply[54..<56]) == hex("8800"))
        #expect(
            Array(reply[58...])
                == hex(
                    """
                    6000 0000
                    fd00 0000 0000 0000 0000 0000 0000 0002
                    0201 0200 0a00 0002
                    """))
        #expect(naiveSum(pseudoHeader(reply) + Array(reply[54...])) == 0xffff)
    }

    @Test func duplicateAddressIsToldToAllNodes() throws {
        let host = host()
        let reply = try #require(host.reply(host.egress(a.solicits(b.ipv6, from: .any))))
        #expect(
            Array(reply[..<54])
                == hex(
                    """
                    3333 0000 0001 0200 0a00 0002 86dd
                    6000 0000 0020 3aff
                    fd00 0000 0000 0000 0000 0000 0000 0002
                    ff02 0000 0000 0000 0000 0000 0000 0001
                    """))
        #expect(Array(reply[58..<62]) == hex("2000 0000"), "override, not solicited")
        #expect(naiveSum(pseudoHeader(reply) + Array(reply[54...])) == 0xffff)
    }

    @Test func detectionOfOnesOwnAddressIsNotAnswered() {
        let host = host()
        _ = host.egress(a.solicits(Station(7).ipv6))
        #expect(host.neighbor(.v6(a.ipv6)) == a.mac)
        #expect(host.egress(a.solicits(a.ipv6, from: .any)) == .flood)
    }

    @Test func solicitationToAStationIsItsToAnswer() {
        var builder = a.solicitation(b.ipv6)
        builder.destinationMAC = b.mac
        #expect(host().egress(builder.neighborSolicitation(target: b.ipv6)) == .send(peer: 0))
    }

    @Test("A solicitation that RFC 4861 section 7.1.1 ignores is not answered")
    func invalidSolicitations() {
        let host = host()
        var routed = a.solicitation(b.ipv6)
        routed.ttl = 254
        #expect(host.egress(routed.neighborSolicitation(target: b.ipv6)) == .flood)
        let coded = a.solicitation(b.ipv6).icmpv6(
            type: 135, code: 1, body: [0, 0, 0, 0] + octets(.v6(b.ipv6)))
        #expect(host.egress(coded) == .flood)
        let short = a.solicitation(b.ipv6).icmpv6(
            type: 135, body: [0, 0, 0, 0] + octets(.v6(b.ipv6)).dropLast())
        #expect(host.egress(short) == .flood)
    }

    @Test func solicitationDoesNotReachIPv4Neighbours() {
        #expect(host().egress(a.solicits(IPv6Address(mapping: b.ipv4))) == .flood)
    }

    /// RFC 6980 section 5.
    @Test func fragmentedSolicitationIsNotAnswered() {
        let builder = a.solicitation(b.ipv6)
        let message = Array(builder.neighborSolicitation(target: b.ipv6).dropFirst(54))
        let frame = builder.ip(proto: 44, hex("3a00 0001 0000 0007") + message)
        #expect(host().egress(frame) == .flood)
    }

    @Test func otherMessagesAreNotAnswered() {
        let frame = a.solicitation(b.ipv6).icmpv6(
            type: 128, body: [0, 0, 0, 0] + octets(.v6(b.ipv6)))
        #expect(host().egress(frame) == .flood)
    }

    /// Source, destination, length and protocol of an ICMPv6 frame without tags.
    func pseudoHeader(_ frame: [UInt8]) -> [UInt8] {
        Array(frame[22..<54]) + be32(UInt32(frame.count - 54)) + [0, 0, 0, 58]
    }
}
