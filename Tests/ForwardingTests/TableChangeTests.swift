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

    @Test func fixingAgainKeepsWhatARouterSaidOfItself() throws {
        let host = TestHost()
        let fixed = [fixed(a, at: .port(1), [.v6(a.ipv6)])]
        host.keeper.fix(fixed)
        let key = NeighborKey(network: 0, address: .v6(a.ipv6))
        host.keeper.neighbors.set(key, Neighbor(mac: a.mac, isFixed: true, role: .router))
        host.keeper.fix(fixed)
        #expect(host.keeper.neighbors.get(key)?.role == .router)
        host.keeper.fix([self.fixed(b, at: .port(2), [.v6(a.ipv6)])])
        #expect(host.keeper.neighbors.get(key)?.role == .unknown, "it is another now")
    }

    @Test func aPlaceIsForgottenWithWhatItSaidOfAddresses() {
        let host = TestHost()
        _ = host.ingress(b.asks(a.ipv4), peer: 0)
        host.keeper.fix([fixed(a, at: .port(1), [.v4(a.ipv4)])])
        // The port spoke for an address that is not its own while nobody checked.
        _ = host.egress(a.asks(b.ipv4, from: Station(9).ipv4), port: 1)
        #expect(host.neighbor(.v4(Station(9).ipv4)) == a.mac)
        host.keeper.forget([.port(1)])
        #expect(host.neighbor(.v4(Station(9).ipv4)) == nil)
        #expect(host.neighbor(.v4(a.ipv4)) == a.mac, "fixed")
        #expect(host.location(a.mac) == .port(1, fixed: true))
        #expect(host.location(b.mac) == .peer(0), "elsewhere")
        host.keeper.forget([.peer(0)])
        #expect(host.location(b.mac) == nil)
        #expect(host.neighbor(.v4(b.ipv4)) == nil)
    }

    @Test func aNetworkIsForgottenWithItsNeighboursAndNoOtherIs() {
        let host = TestHost()
        _ = host.egress(a.asks(b.ipv4), port: 0)
        _ = host.egress(a.asks(b.ipv4), port: 3)
        host.keeper.fix([fixed(b, at: .peer(0), [.v4(b.ipv4)])])
        host.keeper.forget([], networks: [1])
        #expect(host.location(a.mac) == .port(0))
        host.keeper.forget([], networks: [0])
        #expect(host.location(a.mac) == nil)
        #expect(host.neighbor(.v4(a.ipv4)) == nil)
        #expect(host.location(b.mac) == .peer(0, fixed: true), "what is fixed is not learned")
        #expect(host.neighbor(.v4(b.ipv4)) == b.mac)
    }

    @Test func emptyRowsTakeNoShareOfWhatMayBeLearned() {
        let host = TestHost(endpointLimit: 4) {
            $0.networks += [nil, nil]; $0.networks[1] = nil
        }
        for number: UInt8 in 1...4 { _ = host.egress(Station(number).to(b).udp(), port: 0) }
        #expect(host.keeper.refused == 0)
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
