import Forwarding
import TestFrames
import Testing
import Wire

/// What becomes of a frame from a port, rule by rule.
@Suite("Egress")
struct EgressTests {
    let a = Station(1)
    let b = Station(2)

    // MARK: The port and the source

    @Test func unusedPortIsDown() {
        let host = TestHost { $0.ports[0] = nil }
        #expect(host.egress(a.to(b).udp()) == .drop(.portDown))
    }

    @Test(
        "A source that no station has",
        arguments: [
            "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01",
            "03:00:00:00:00:01",
        ])
    func invalidSource(_ mac: String) throws {
        var builder = a.to(b)
        builder.sourceMAC = try #require(MACAddress(mac))
        #expect(TestHost().egress(builder.udp()) == .drop(.invalidSourceMAC))
        #expect(TestHost().ingress(builder.udp()) == .drop(.invalidSourceMAC))
    }

    @Test func tagsPassOnlyWhereTheNetworkSaysSo() {
        var builder = a.to(b)
        builder.tags = [100]
        #expect(TestHost().egress(builder.udp()) == .drop(.vlanNotAllowed))
        let host = TestHost { $0.networks[0]?.passesVLAN = true }
        #expect(host.egress(builder.udp()) == .flood)
        builder.tags = [100, 200]
        #expect(host.egress(builder.udp()) == .flood)
    }

    // MARK: The destination

    @Test(
        "Group addressed: flood",
        arguments: [
            "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "33:33:00:00:00:01", "01:80:c2:00:00:00",
        ])
    func group(_ mac: String) throws {
        var builder = a.to(b)
        builder.destinationMAC = try #require(MACAddress(mac))
        #expect(TestHost().egress(builder.udp()) == .flood)
        // Also where nothing is learned: broadcast is no unknown unicast.
        let host = TestHost {
            $0.networks[0]?.learns = false
            $0.ports[0]?.floodsUnknown = false
        }
        #expect(host.egress(builder.udp()) == .flood)
    }

    @Test func unknownIsFlooded() {
        #expect(TestHost().egress(a.to(b).udp()) == .flood)
    }

    @Test func unknownIsDroppedWhereNothingIsLearned() {
        let host = TestHost { $0.networks[0]?.learns = false }
        #expect(host.egress(a.to(b).udp()) == .drop(.unknownUnicast))
        #expect(host.location(a.mac) == nil)
    }

    @Test func unknownIsDroppedFromAPortThatDoesNotFlood() {
        let host = TestHost { $0.ports[0]?.floodsUnknown = false }
        #expect(host.egress(a.to(b).udp()) == .drop(.unknownUnicast))
        #expect(host.egress(a.to(b).udp(), port: 1) == .flood)
    }

    @Test func knownPort() {
        let host = TestHost()
        _ = host.egress(b.to(a).udp(), port: 1)
        #expect(host.egress(a.to(b).udp()) == .deliver(port: 1))
    }

    @Test func knownPeer() {
        let host = TestHost()
        _ = host.ingress(b.to(a).udp(), peer: 1)
        #expect(host.egress(a.to(b).udp()) == .send(peer: 1))
    }

    @Test func samePortIsAHairpin() {
        let host = TestHost()
        _ = host.egress(b.to(a).udp())
        #expect(host.egress(a.to(b).udp()) == .drop(.samePort))
        // A frame to oneself is one too.
        #expect(host.egress(a.to(a).udp()) == .drop(.samePort))
    }

    @Test func networksDoNotSeeEachOther() {
        let host = TestHost()
        _ = host.egress(b.to(a).udp(), port: 3)
        #expect(host.location(b.mac, network: 1) == .port(3))
        #expect(host.egress(a.to(b).udp()) == .flood)
        // The same MAC in both networks is two endpoints.
        _ = host.egress(b.to(a).udp(), port: 2)
        #expect(host.egress(a.to(b).udp()) == .deliver(port: 2))
        #expect(host.egress(a.to(b).udp(), port: 3) == .drop(.samePort))
    }

    @Test func fixedEndpointIsKnownWithoutLearning() {
        let host = TestHost { $0.networks[0]?.learns = false }
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .peer(0))
        #expect(host.egress(a.to(b).udp()) == .send(peer: 0))
    }

    // MARK: Sizes

    @Test func longestFrameIsTheSmallerOfNetworkAndPath() {
        let host = TestHost {
            $0.networks[0]?.mtu = 1400
            $0.peers[0]?.maximumFrame = 1450
            $0.peers[1]?.maximumFrame = 1300
        }
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .peer(0))
        host.keeper.fix(network: 0, mac: Station(3).mac, addresses: [], at: .peer(1))
        let frame = a.to(b).udp(payload: payloadBytes(100))
        #expect(host.egress(frame, wireLength: 1414) == .send(peer: 0))
        #expect(host.egress(frame, wireLength: 1415) == .drop(.tooBig))
        let other = a.to(Station(3)).udp(payload: payloadBytes(100))
        #expect(host.egress(other, wireLength: 1300) == .send(peer: 1))
        #expect(host.egress(other, wireLength: 1301) == .drop(.tooBig))
    }

    @Test func tagsDoNotCountAgainstTheNetworksMTU() {
        let host = TestHost {
            $0.networks[0]?.mtu = 1400
            $0.networks[0]?.passesVLAN = true
            $0.peers[0]?.maximumFrame = 1500
        }
        host.keeper.fix(network: 0, mac: b.mac, addresses: [], at: .peer(0))
        var builder = a.to(b)
        builder.tags = [1]
        #expect(host.egress(builder.udp(), wireLength: 1418) == .send(peer: 0))
        #expect(host.egress(builder.udp(), wireLength: 1419) == .drop(.tooBig))
    }

    @Test func onOneHostAnySizePasses() {
        let host = TestHost()
        _ = host.egress(b.to(a).udp(), port: 1)
        let frame = a.to(b).udp(payload: payloadBytes(60_000))
        #expect(host.egress(frame) == .deliver(port: 1))
    }
}
