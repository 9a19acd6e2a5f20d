import Forwarding
import TestFrames
import Testing
import Wire

/// What becomes of a datagram from the underlay, rule by rule.
@Suite("Ingress")
struct IngressTests {
    let a = Station(1)
    let b = Station(2)

    // MARK: Admission

    @Test(
        "Not VXLAN",
        arguments: [
            "", "08", "0800 0000 0000 64", "0000 0000 0000 6400", "f7ff ffff 0000 64ff",
        ])
    func notVXLAN(_ datagram: String) {
        #expect(TestHost().admit(hex(datagram)) == .drop(.notVXLAN))
    }

    @Test func reservedBitsAreIgnored() {
        #expect(TestHost().admit(hex("0800 0000 0000 6400")) == .network(0))
        #expect(TestHost().admit(hex("ffff ffff 0000 64ff")) == .network(0))
    }

    @Test func unknownVNI() {
        #expect(TestHost().admit(hex("0800 0000 0000 6500")) == .drop(.unknownVNI))
        #expect(TestHost().admit(hex("0800 0000 0000 0000")) == .drop(.unknownVNI))
        #expect(TestHost().admit(hex("0800 0000 ffff ff00")) == .drop(.unknownVNI))
    }

    @Test func peerMustHaveTheNetwork() {
        #expect(TestHost().admit(hex("0800 0000 0000 c800"), peer: 1) == .network(1))
        #expect(TestHost().admit(hex("0800 0000 0000 c800"), peer: 0) == .drop(.peerNotInNetwork))
    }

    @Test func onlyConfiguredPeersAreFound() {
        let topology = TestHost().view.topology
        let addresses = ["172.16.0.1", "172.16.0.2", "172.16.0.3", "0.0.0.0", "::", "fd00::1"]
        let found = addresses.map { topology.peer(at: IPAddress($0)!.mapped) }
        #expect(found == [0, 1, nil, nil, nil, nil])
    }

    @Test func removedPeerIsNoPeer() {
        let host = TestHost()
        host.change { $0.peers[0] = nil }
        let topology = host.view.topology
        #expect(topology.peer(at: IPAddress("172.16.0.1")!.mapped) == nil)
        #expect(topology.peer(at: IPv6Address.any) == nil)
        #expect(topology.peer(at: IPAddress("172.16.0.2")!.mapped) == 1)
        #expect(host.admit(hex("0800 0000 0000 6400"), peer: 0) == .drop(.peerNotInNetwork))
    }

    @Test func everyVNIAndPeerOfManyIsFound() {
        let host = TestHost { description in
            description.networks = (0..<500).map { .init(vni: UInt32($0) * 65536 % 16_777_213) }
            description.ports = []
            description.peers = (0..<300).map {
                .init(
                    address: .v4(IPv4Address(bits: 0x0a00_0000 + UInt32($0) << 8)),
                    networks: [UInt16($0)])
            }
        }
        let topology = host.view.topology
        for (index, network) in host.description.networks.enumerated() {
            #expect(topology.network(vni: network!.vni) == UInt16(index))
        }
        #expect(topology.network(vni: 77_777) == nil)
        for (index, peer) in host.description.peers.enumerated() {
            #expect(topology.peer(at: peer!.address.mapped) == UInt16(index))
            let member = (0..<500).filter { topology.isMember(peer: UInt16(index), of: $0) }
            #expect(member == [UInt16(index)])
        }
    }

    // MARK: The frame

    @Test func tagsPassOnlyWhereTheNetworkSaysSo() {
        var builder = a.to(b)
        builder.tags = [100]
        #expect(TestHost().ingress(builder.udp()) == .drop(.vlanNotAllowed))
        #expect(TestHost { $0.networks[0]?.passesVLAN = true }.ingress(builder.udp()) == .flood)
    }

    @Test func knownPort() {
        let host = TestHost()
        _ = host.egress(b.to(a).udp(), port: 1)
        #expect(host.ingress(a.to(b).udp()) == .deliver(port: 1))
    }

    @Test func groupIsFlooded() {
        #expect(TestHost().ingress(a.broadcast.udp()) == .flood)
        #expect(TestHost { $0.networks[0]?.learns = false }.ingress(a.broadcast.udp()) == .flood)
    }

    @Test func unknownIsFloodedWhereLearned() {
        #expect(TestHost().ingress(a.to(b).udp()) == .flood)
        let host = TestHost { $0.networks[0]?.learns = false }
        #expect(host.ingress(a.to(b).udp()) == .drop(.unknownUnicast))
    }

    @Test func neverFromTunnelToTunnel() {
        let host = TestHost()
        _ = host.ingress(b.to(a).udp(), peer: 1)
        #expect(host.ingress(a.to(b).udp(), peer: 0) == .drop(.splitHorizon))
        #expect(host.ingress(a.to(b).udp(), peer: 1) == .drop(.splitHorizon))
    }

    @Test func fixedMACOfAPortIsNotAPeersToUse() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: a.mac, addresses: [], at: .port(1))
        #expect(host.ingress(a.to(b).udp()) == .drop(.stolenMAC))
        #expect(host.location(a.mac) == .port(1, fixed: true))
        // Only in its network.
        #expect(host.ingress(a.to(b).udp(), peer: 1, network: 1) == .flood)
    }

    @Test func nothingIsAnsweredFromTheUnderlay() {
        let host = TestHost()
        host.keeper.fix(network: 0, mac: b.mac, addresses: [.v4(b.ipv4)], at: .port(1))
        #expect(host.ingress(a.asks(b.ipv4)) == .flood)
    }
}
