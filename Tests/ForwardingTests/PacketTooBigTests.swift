import Forwarding
import TestFrames
import Testing
import Wire

/// Frames that the path to a peer does not take: 1400 bytes of IP at most.
@Suite("Packet too big")
struct PacketTooBigTests {
    let a = Station(1)
    let b = Station(2)
    let gateway = IPv4Address("10.0.0.254")!
    let gateway6 = IPv6Address("fd00::fe")!

    func host(_ change: (inout TopologyDescription) -> Void = { _ in }) -> TestHost {
        let host = TestHost {
            $0.networks[0]?.gateway = gateway
            $0.networks[0]?.gatewayIPv6 = gateway6
            $0.networks[0]?.passesVLAN = true
            $0.peers[0]?.maximumFrame = 1414
            change(&$0)
        }
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .peer(0))
        return host
    }

    @Test func ipv4() throws {
        let host = host()
        let frame = a.to(b).udp(payload: payloadBytes(1373))
        let reply = try #require(host.reply(host.egress(frame)))
        #expect(reply.count == 14 + 20 + 8 + 548)
        #expect(
            Array(reply[..<24])
                == hex("0200 0a00 0001 0200 0a00 0002 0800 45c0 0240 0000 0000 4001"))
        #expect(Array(reply[26..<34]) == hex("0a00 00fe 0a00 0001"))
        #expect(naiveSum(Array(reply[14..<34])) == 0xffff)
        #expect(Array(reply[34..<36]) == hex("0304"))
        #expect(Array(reply[38..<42]) == hex("0000 0578"), "1400")
        #expect(naiveSum(Array(reply[34...])) == 0xffff)
        #expect(Array(reply[42...]) == Array(frame[14..<14 + 548]))
    }

    @Test func ipv6() throws {
        let host = host()
        let frame = a.to6(b).udp(payload: payloadBytes(1353))
        let reply = try #require(host.reply(host.egress(frame)))
        #expect(reply.count == 14 + 1280, "RFC 4443 section 2.4 (c)")
        #expect(
            Array(reply[..<22])
                == hex("0200 0a00 0001 0200 0a00 0002 86dd 6000 0000 04d8 3a40"))
        #expect(Array(reply[22..<54]) == octets(.v6(gateway6)) + octets(.v6(a.ipv6)))
        #expect(Array(reply[54..<56]) == hex("0200"))
        #expect(Array(reply[58..<62]) == hex("0000 0578"), "1400")
        let pseudo = Array(reply[22..<54]) + be32(1240) + [0, 0, 0, 58]
        #expect(naiveSum(pseudo + Array(reply[54...])) == 0xffff)
        #expect(Array(reply[62...]) == Array(frame[14..<14 + 1232]))
    }

    @Test func largestThatFitsIsSent() {
        #expect(host().egress(a.to(b).udp(payload: payloadBytes(1372))) == .send(peer: 0))
        #expect(host().egress(a.to6(b).udp(payload: payloadBytes(1352))) == .send(peer: 0))
    }

    @Test func networksMTUIsToldWhereItIsSmaller() throws {
        let host = host { $0.networks[0]?.mtu = 1300 }
        let reply = host.reply(host.egress(a.to(b).udp(payload: payloadBytes(1300))))
        #expect(try #require(reply)[38..<42] == hex("0000 0514")[...])
    }

    @Test func tagsAreKeptAndNotCounted() throws {
        let host = host()
        var builder = a.to(b)
        builder.tags = [7]
        let reply = try #require(
            host.reply(host.egress(builder.udp(payload: payloadBytes(1373)))))
        #expect(Array(reply[12..<18]) == hex("8100 0007 0800"))
        #expect(Array(reply[42..<46]) == hex("0000 0574"), "1414 - 18")
        #expect(naiveSum(Array(reply[38...])) == 0xffff)
    }

    /// A superframe whose segments are too long: what is quoted is its own first bytes.
    @Test func superframe() throws {
        let host = host()
        let frame = a.to(b).tcp(payload: payloadBytes(60_000))
        let reply = try #require(host.reply(host.egress(frame, wireLength: 1415)))
        #expect(reply.count == 590)
        #expect(Array(reply[42...]) == Array(frame[14..<562]))
        #expect(host.egress(frame, wireLength: 1414) == .send(peer: 0))
    }

    @Test func shortPacketIsQuotedWhole() throws {
        let host = host { $0.peers[0]?.maximumFrame = 114 }
        let frame = a.to(b).udp(payload: payloadBytes(101)) + [0, 0, 0]
        let reply = try #require(host.reply(host.egress(frame)))
        #expect(reply.count == 14 + 28 + 129, "padding is no part of the packet")
        #expect(Array(reply[42...]) == Array(frame[14..<143]))
        #expect(naiveSum(Array(reply[34...])) == 0xffff)
    }

    // MARK: Silence

    @Test func withoutAGatewayThereIsNoOneToSayIt() {
        let host = host {
            $0.networks[0]?.gateway = .any
            $0.networks[0]?.gatewayIPv6 = .any
        }
        #expect(host.egress(a.to(b).udp(payload: payloadBytes(1373))) == .drop(.tooBig))
        #expect(host.egress(a.to6(b).udp(payload: payloadBytes(1373))) == .drop(.tooBig))
    }

    @Test func otherProtocolsAreDropped() {
        let frame = a.to(b).ethernet(type: 0x88b5, payloadBytes(1401))
        #expect(host().egress(frame) == .drop(.tooBig))
    }

    @Test("Errors are not answered with errors", arguments: [3, 4, 5, 11, 12] as [UInt8])
    func errors(_ type: UInt8) {
        let frame = a.to(b).icmpEcho(type: type, payload: payloadBytes(1400))
        #expect(host().egress(frame) == .drop(.tooBig))
    }

    @Test("Errors of IPv6 neither", arguments: [1, 2, 3, 4, 127] as [UInt8])
    func errors6(_ type: UInt8) {
        let frame = a.to6(b).icmpv6(type: type, body: payloadBytes(1400))
        #expect(host().egress(frame) == .drop(.tooBig))
    }

    @Test func echoIsAnswered() {
        let host = host()
        #expect(host.reply(host.egress(a.to(b).icmpEcho(payload: payloadBytes(1400)))) != nil)
        let echo6 = a.to6(b).icmpv6(type: 128, body: payloadBytes(1400))
        #expect(host.reply(host.egress(echo6)) != nil)
    }

    @Test func onlyTheFirstFragmentIsAnswered() {
        let host = host()
        let first = a.to(b).ip(proto: 17, payloadBytes(1400), fragment: 0x2000)
        #expect(host.reply(host.egress(first)) != nil)
        let later = a.to(b).ip(proto: 17, payloadBytes(1400), fragment: 0x2010)
        #expect(host.egress(later) == .drop(.tooBig))
    }

    @Test(
        "A source that is no single host is not answered",
        arguments: [
            "0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        ])
    func badSource(_ text: String) {
        var builder = a.to(b)
        builder.source = .v4(IPv4Address(text)!)
        #expect(host().egress(builder.udp(payload: payloadBytes(1400))) == .drop(.tooBig))
    }

    @Test("Nor is a packet for many", arguments: ["224.0.0.251", "255.255.255.255"])
    func multicast(_ text: String) {
        var builder = a.to(b)
        builder.destination = .v4(IPv4Address(text)!)
        #expect(host().egress(builder.udp(payload: payloadBytes(1400))) == .drop(.tooBig))
        // By its MAC it is not even looked at: flooding leaves out the paths that are too small.
        builder.destinationMAC = MACAddress(bits: 0x0100_5e00_00fb)
        #expect(host().egress(builder.udp(payload: payloadBytes(1400))) == .flood)
    }

    @Test("IPv6 sources that are no single host", arguments: ["::", "ff02::1"])
    func badSource6(_ text: String) {
        var builder = a.to6(b)
        builder.source = .v6(IPv6Address(text)!)
        #expect(host().egress(builder.udp(payload: payloadBytes(1400))) == .drop(.tooBig))
    }

    @Test func pathThatTakesNothingIsNotToldOf() {
        let host = host { $0.peers[0]?.maximumFrame = 0 }
        #expect(host.egress(a.to(b).udp()) == .drop(.tooBig))
    }
}
