import Forwarding
import Synchronization
import TestFrames
import Testing
import Wire

/// What the tables' keeper does when a configuration changes under running workers.
@Suite("Changes of the tables")
struct TableChangeTests {
    private let a = Station(1)
    private let b = Station(2)

    private func fixed(_ station: Station, at place: Location, _ ips: [IPAddress] = [])
        -> FixedEndpoint
    {
        FixedEndpoint(network: 0, mac: station.mac, addresses: ips, place: place)
    }

    @Test func whatIsNotFixedAnyMoreIsForgotten() {
        let host = TestHost()
        host.keeper.fix([
            fixed(a, at: .port(1), [.v4(a.ipv4)]), fixed(b, at: .peer(1), [.v4(b.ipv4)]),
        ])
        host.keeper.fix([fixed(b, at: .peer(0), [.v6(b.ipv6)])])
        #expect(host.location(a.mac) == nil)
        #expect(host.neighbor(.v4(a.ipv4)) == nil)
        #expect(host.location(b.mac) == .peer(0, fixed: true))
        #expect(host.neighbor(.v4(b.ipv4)) == nil)
        #expect(host.neighbor(.v6(b.ipv6)) == b.mac)
    }

    @Test func anAddressMayPassFromOneToAnother() {
        let host = TestHost()
        host.keeper.fix([fixed(a, at: .port(1), [.v4(a.ipv4)])])
        host.keeper.fix([fixed(a, at: .port(1)), fixed(b, at: .port(2), [.v4(a.ipv4)])])
        #expect(host.neighbor(.v4(a.ipv4)) == b.mac)
        #expect(host.location(a.mac) == .port(1, fixed: true))
    }

    @Test func releasedEndpointsAreUnknownAndMayBeLearned() {
        let host = TestHost()
        host.keeper.fix([fixed(a, at: .port(1)), fixed(b, at: .peer(1))])
        host.keeper.release { !$0.place.isPeer }
        #expect(host.location(b.mac) == nil)
        #expect(host.location(a.mac) == .port(1, fixed: true))
        _ = host.ingress(b.to(a).udp(), peer: 0)
        #expect(host.location(b.mac) == .peer(0))
    }

    @Test func aNetworkIsForgottenWithItsNeighboursAndNoOtherIs() {
        let host = TestHost()
        _ = host.egress(a.asks(b.ipv4), port: 0)
        _ = host.egress(a.asks(b.ipv4), port: 3)
        host.keeper.fix([fixed(b, at: .peer(0), [.v4(b.ipv4)])])
        host.keeper.forget(network: 1)
        #expect(host.location(a.mac) == .port(0))
        host.keeper.forget(network: 0)
        #expect(host.location(a.mac) == nil)
        #expect(host.neighbor(.v4(a.ipv4)) == nil)
        #expect(host.location(b.mac) == .peer(0, fixed: true), "what is fixed is not learned")
        #expect(host.neighbor(.v4(b.ipv4)) == b.mac)
        // Its room is free again.
        _ = host.egress(a.to(b).udp(), port: 0)
        #expect(host.location(a.mac) == .port(0))
    }

    @Test func anEmptyRowOfANetworkIsNobodys() {
        let host = TestHost {
            $0.networks[1] = nil; $0.ports[3] = nil
        }
        #expect(host.view.topology.network(vni: 200) == nil)
        #expect(host.view.topology.network(vni: 0) == nil)
        #expect(host.view.topology.network(vni: 100) == 0)
        #expect(host.egress(a.to(b).udp(), port: 3) == .drop(.portDown))
    }

    @Test func synchronizeWaitsForReadersThatAreAwake() {
        let domain = ReclamationDomain()
        let readers = (0..<2).map { _ in domain.makeReader() }
        for reader in readers { reader.quiescent() }
        var pauses = 0
        domain.synchronize {
            pauses += 1
            if pauses == 3 { readers[0].quiescent() }
            if pauses == 5 { readers[1].sleep() }
        }
        #expect(pauses == 5)
        // Who sleeps is waited for no more; who is awake is, each time.
        pauses = 0
        domain.synchronize {
            pauses += 1
            readers[0].quiescent()
        }
        #expect(pauses == 1)
    }
}
