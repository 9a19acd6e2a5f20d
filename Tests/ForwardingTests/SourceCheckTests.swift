import Forwarding
import TestFrames
import Testing
import Wire

/// What a port may tell of itself. Port 0 belongs to station 1: its MAC, IPv4 and IPv6 address.
@Suite("Source check")
struct SourceCheckTests {
    let me = Station(1)
    let victim = Station(9)
    let other = Station(2)

    func guardPort0(_ description: inout TopologyDescription) {
        description.ports[0]?.macs = [me.mac]
        description.ports[0]?.addresses = [.v4(me.ipv4), .v6(me.ipv6)]
    }

    /// Whether the check lets a frame pass, in the words of its drop.
    func drop(
        _ frame: [UInt8], _ change: (inout TopologyDescription) -> Void = { _ in }
    ) -> Drop? {
        let host = TestHost {
            guardPort0(&$0)
            change(&$0)
        }
        if case .drop(let reason) = host.egress(frame) {
            // What is refused teaches nothing.
            #expect(host.location(me.mac) == nil)
            #expect(host.location(victim.mac) == nil)
            return reason
        }
        return nil
    }

    // MARK: MAC

    @Test func ownMACPasses() {
        #expect(drop(me.to(other).udp()) == nil)
        #expect(drop(me.to6(other).udp()) == nil)
    }

    @Test func othersMACDoesNot() {
        var builder = me.to(other)
        builder.sourceMAC = victim.mac
        #expect(drop(builder.udp()) == .spoofedMAC)
        #expect(drop(builder.ethernet(type: 0x88b5, [0])) == .spoofedMAC)
    }

    @Test func eachOfSeveralMACsPasses() {
        let host = TestHost { $0.ports[0]?.macs = [2, 3, 4].map { Station($0).mac } }
        #expect(host.egress(Station(2).to(other).udp()) != .drop(.spoofedMAC))
        #expect(host.egress(Station(4).to(other).udp()) != .drop(.spoofedMAC))
        #expect(host.egress(Station(5).to(other).udp()) == .drop(.spoofedMAC))
    }

    @Test func withoutMACsAnythingPasses() {
        #expect(TestHost().egress(victim.to(other).udp()) == .flood)
    }

    @Test func otherPortsAreNotConcerned() {
        let host = TestHost(guardPort0)
        #expect(host.egress(victim.to(other).udp(), port: 1) == .flood)
    }

    @Test func withoutAddressesAnyAddressPasses() {
        func open(_ description: inout TopologyDescription) {
            description.ports[0]?.addresses = []
        }
        var builder = me.to(other)
        builder.source = .v4(victim.ipv4)
        #expect(drop(builder.udp(), open) == nil)
        #expect(drop(me.asks(other.ipv4, from: victim.ipv4), open) == nil)
    }

    // MARK: IPv4

    @Test func othersIPv4() {
        var builder = me.to(other)
        builder.source = .v4(victim.ipv4)
        #expect(drop(builder.udp()) == .spoofedIP)
        #expect(drop(builder.tcp()) == .spoofedIP)
        #expect(drop(builder.icmpEcho()) == .spoofedIP)
    }

    @Test(
        "DHCP and nothing else comes from 0.0.0.0",
        arguments: [
            (68, 67, true), (67, 68, false), (68, 68, false), (1068, 67, false), (68, 53, false),
        ] as [(UInt16, UInt16, Bool)])
    func dhcp(_ from: UInt16, _ to: UInt16, _ passes: Bool) {
        var builder = me.broadcast
        builder.source = .v4(.any)
        builder.sourcePort = from
        builder.destinationPort = to
        #expect(drop(builder.udp()) == (passes ? nil : .spoofedIP))
        // The same bytes in TCP are not DHCP.
        #expect(drop(builder.tcp()) == .spoofedIP)
    }

    @Test func laterFragmentFromNowhereIsNotDHCP() {
        var builder = me.broadcast
        builder.source = .v4(.any)
        let frame = builder.ip(proto: 17, hex("0044 0043 0008 0000"), fragment: 1)
        #expect(drop(frame) == .spoofedIP)
    }

    @Test func brokenIPCannotCarryAnAddressPast() {
        var frame = me.to(other).udp()
        frame[14] = 0x44
        #expect(drop(frame) == .spoofedIP)
        frame = me.to6(other).udp()
        frame[14] = 0x40
        #expect(drop(frame) == .spoofedIP)
        #expect(drop(Array(me.to(other).udp().prefix(30))) == .spoofedIP)
    }

    @Test func otherProtocolsPass() {
        #expect(drop(me.to(other).ethernet(type: 0x88b5, payloadBytes(46))) == nil)
    }

    // MARK: ARP

    @Test func ownARPPasses() {
        #expect(drop(me.asks(other.ipv4)) == nil)
        #expect(drop(me.asks(me.ipv4)) == nil, "gratuitous")
    }

    @Test func arpSenderIP() {
        #expect(drop(me.asks(other.ipv4, from: victim.ipv4)) == .spoofedIP)
    }

    @Test func arpSenderMAC() {
        let frame = me.broadcast.arp(
            operation: 2, senderMAC: victim.mac, senderIP: me.ipv4, targetMAC: other.mac,
            targetIP: other.ipv4)
        #expect(drop(frame) == .spoofedMAC)
    }

    @Test func arpProbePassesOnlyAsAQuestion() {
        #expect(drop(me.asks(me.ipv4, from: .any)) == nil)
        let answer = me.broadcast.arp(
            operation: 2, senderMAC: me.mac, senderIP: .any, targetMAC: other.mac,
            targetIP: other.ipv4)
        #expect(drop(answer) == .spoofedIP)
    }

    @Test func arpForOtherProtocols() {
        var frame = me.asks(other.ipv4)
        frame[17] = 0x01  // protocol type
        #expect(drop(frame) == .spoofedIP)
    }

    @Test func cutOffARP() {
        #expect(drop(me.asks(other.ipv4).dropLast()) == .spoofedIP)
    }

    // MARK: IPv6

    @Test func othersIPv6() {
        var builder = me.to6(other)
        builder.source = .v6(victim.ipv6)
        #expect(drop(builder.udp()) == .spoofedIP)
        builder.source = .v6(IPv6Address(mapping: me.ipv4))
        #expect(drop(builder.udp()) == .spoofedIP, "an IPv4 address is not one in IPv6")
    }

    @Test func linkLocalOfTheMACPassesAndNoOther() {
        var builder = me.to6(other)
        builder.source = .v6(me.linkLocal)
        #expect(drop(builder.udp()) == nil)
        builder.source = .v6(victim.linkLocal)
        #expect(drop(builder.udp()) == .spoofedIP)
        builder.source = .v6(IPv6Address(high: 0xfe80 << 48, low: 1))
        #expect(drop(builder.udp()) == .spoofedIP)
    }

    @Test func duplicateAddressDetectionPasses() {
        #expect(drop(me.solicits(me.ipv6, from: .any)) == nil)
        #expect(drop(me.solicits(me.linkLocal, from: .any)) == nil)
    }

    @Test func routerSolicitationWithoutAnAddressPasses() {
        let builder = me.solicitation(me.ipv6, from: .any)
        #expect(drop(builder.icmpv6(type: 133, body: [0, 0, 0, 0])) == nil)
    }

    @Test func listenerReportPasses() {
        // Hop-by-hop with a router alert, then MLDv2 (RFC 3810 section 5).
        let builder = me.solicitation(me.ipv6, from: .any)
        let report = hex("3a00 0502 0000 0100 8f00 0000 0000 0000")
        #expect(drop(builder.ip(proto: 0, report)) == nil)
        #expect(drop(builder.ip(proto: 0, hex("3a00 0502 0000 0100"))) == .spoofedIP, "cut off")
    }

    @Test func linkLayerAddressInNDIsTheSendersOwn() {
        let builder = me.solicitation(other.ipv6)
        let told = { builder.neighborSolicitation(target: other.ipv6, sourceLinkLayer: $0) }
        #expect(drop(told(me.mac)) == nil)
        #expect(drop(told(other.mac)) == .spoofedIP)
        let asksRouters = builder.icmpv6(type: 133, body: hex("00000000 0101 020000000009"))
        #expect(drop(asksRouters) == .spoofedIP)
        // An option that says it has no length ends nothing but the frame.
        var body: [UInt8] = [0, 0, 0, 0]
        body += octets(.v6(other.ipv6))
        body += hex("0e00 000000000000")
        #expect(drop(builder.icmpv6(type: 135, body: body)) == .spoofedIP)
    }

    @Test(arguments: [0x0100, 0x8100, 0x88a8, 0x9100, 0x9200] as [UInt16])
    func whatHidesAnAddressDoesNotPass(_ type: UInt16) {
        let inner = hex("aaaa 0300 0000 0800") + [UInt8](repeating: 0x45, count: 60)
        let host = TestHost {
            $0.networks[0]?.passesVLAN = true
            $0.ports[0]?.macs = [me.mac]
            $0.ports[0]?.addresses = [.v4(me.ipv4)]
        }
        // The parse goes through two tags: a third is what it does not see.
        let tags: [UInt8] = type == 0x8100 || type == 0x88a8 ? hex("8100 0001 8100 0001") : []
        var frame = me.to(other).ethernet(type: type, inner)
        frame.insert(contentsOf: tags, at: 12)
        #expect(host.egress(frame) == .drop(.spoofedIP))
    }

    @Test func nothingElseComesFromTheUnspecifiedAddress() {
        var builder = me.to6(other)
        builder.source = .v6(.any)
        #expect(drop(builder.udp()) == .spoofedIP)
        let udp = hex("1100 0502 0000 0100 9c40 1451 0008 0000")
        #expect(drop(builder.ip(proto: 0, udp)) == .spoofedIP, "behind hop-by-hop options")
    }

    @Test("An advertisement's target is a claim", arguments: [1, 2] as [UInt8])
    func advertisement(_ from: UInt8) {
        var builder = me.to6(other)
        builder.source = .v6(from == 1 ? me.ipv6 : me.linkLocal)
        builder.ttl = 255
        func advertise(_ target: IPv6Address) -> Drop? {
            drop(builder.neighborAdvertisement(target: target, targetLinkLayer: me.mac))
        }
        #expect(advertise(me.ipv6) == nil)
        #expect(advertise(me.linkLocal) == nil)
        #expect(advertise(victim.ipv6) == .spoofedIP)
        #expect(advertise(victim.linkLocal) == .spoofedIP)
    }

    @Test func advertisementFromNowhereClaimsToo() {
        var builder = me.to6(other)
        builder.source = .v6(.any)
        builder.ttl = 255
        #expect(drop(builder.neighborAdvertisement(target: victim.ipv6)) == .spoofedIP)
    }

    @Test func cutOffAdvertisementCannotBeJudged() {
        #expect(drop(me.to6(other).icmpv6(type: 136, body: [0, 0, 0, 0])) == .spoofedIP)
    }

    @Test func advertisementBehindManyExtensionHeadersIsNotMissed() {
        var builder = me.to6(other)
        builder.ttl = 255
        let message = Array(
            builder.neighborAdvertisement(target: victim.ipv6, targetLinkLayer: me.mac)
                .dropFirst(54))
        for count in [1, 8, 9, 40] {
            let chain = (0..<count).flatMap { index -> [UInt8] in
                [index == count - 1 ? 58 : 60, 0] + hex("0104 0000 0000")
            }
            #expect(drop(builder.ip(proto: 60, chain + message)) == .spoofedIP, "\(count)")
        }
    }
}
