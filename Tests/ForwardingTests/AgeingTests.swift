import Forwarding
import TestFrames
import Testing
import Wire

/// Endpoints that are not seen any more are forgotten, a piece of the table at a time.
@Suite("Ageing")
struct AgeingTests {
    func keeper(ageing: [UInt32] = [300, 10]) -> TableKeeper {
        let keeper = TableKeeper()
        var description = TopologyDescription()
        description.networks = ageing.enumerated().map {
            var network = TopologyDescription.Network(vni: UInt32($0) + 1)
            network.ageing = $1
            return network
        }
        keeper.publish(description)
        return keeper
    }

    func fill(_ keeper: TableKeeper, _ count: Int, network: UInt16 = 0, seen: UInt32) {
        for number in 0..<count {
            let mac = MACAddress(bits: UInt64(number) + 1)
            keeper.endpoints.set(EndpointKey(network: network, mac: mac), .peer(1), seen: seen)
        }
    }

    /// Calls `age` until every slot has been looked at.
    func ageAll(_ keeper: TableKeeper, now: UInt32) {
        for _ in 0..<17 { keeper.age(now: now) }
    }

    @Test func eachNetworkHasItsTime() {
        let keeper = keeper()
        fill(keeper, 100, network: 0, seen: 1000)
        fill(keeper, 100, network: 1, seen: 1000)
        ageAll(keeper, now: 1009)
        #expect(keeper.endpoints.count == 200)
        ageAll(keeper, now: 1010)
        #expect(keeper.endpoints.count == 100)
        ageAll(keeper, now: 1299)
        #expect(keeper.endpoints.count == 100)
        ageAll(keeper, now: 1300)
        #expect(keeper.endpoints.count == 0)
        #expect(keeper.aged == 200)
    }

    @Test func aCallLooksAtAPieceOnly() {
        let keeper = keeper()
        fill(keeper, 150_000, seen: 1)
        let before = keeper.endpoints.count
        keeper.age(now: 10_000)
        let first = before - keeper.endpoints.count
        #expect(first > before / 32 && first < before / 8)
        for _ in 0..<15 { keeper.age(now: 10_000) }
        #expect(keeper.endpoints.count == 0, "sixteen calls look at everything")
    }

    @Test func whatIsSeenFromTheFutureStays() {
        let keeper = keeper()
        fill(keeper, 10, seen: 2000)
        ageAll(keeper, now: 1000)
        #expect(keeper.endpoints.count == 10)
    }

    @Test func theClockMayWrapAround() {
        let keeper = keeper()
        fill(keeper, 10, seen: .max - 5)
        ageAll(keeper, now: 100)
        #expect(keeper.endpoints.count == 10)
        ageAll(keeper, now: 295)
        #expect(keeper.endpoints.count == 0)
    }

    @Test func neighboursGoWithTheirEndpoint() {
        let keeper = keeper()
        let a = Station(1)
        let b = Station(2)
        keeper.endpoints.set(EndpointKey(network: 0, mac: a.mac), .peer(1), seen: 1000)
        keeper.endpoints.set(EndpointKey(network: 0, mac: b.mac), .peer(1), seen: 1300)
        keeper.neighbors.set(NeighborKey(network: 0, address: .v4(a.ipv4)), a.mac)
        keeper.neighbors.set(NeighborKey(network: 0, address: .v4(b.ipv4)), b.mac)
        // The same MAC in another network is another station.
        keeper.neighbors.set(NeighborKey(network: 1, address: .v4(b.ipv4)), b.mac)
        for _ in 0..<40 { keeper.age(now: 1300) }
        #expect(keeper.neighbors.get(NeighborKey(network: 0, address: .v4(a.ipv4))) == nil)
        #expect(keeper.neighbors.get(NeighborKey(network: 1, address: .v4(b.ipv4))) == nil)
        #expect(keeper.neighbors.get(NeighborKey(network: 0, address: .v4(b.ipv4)))?.mac == b.mac)
    }
}
