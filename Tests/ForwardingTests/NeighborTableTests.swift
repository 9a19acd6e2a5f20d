import Forwarding
import TestFrames
import Testing
import Wire

/// The table of neighbours against a dictionary.
@Suite("Neighbour table")
struct NeighborTableTests {
    struct Entry: Equatable {
        var mac: MACAddress
        var fixed: Bool
    }

    /// IPv4 and IPv6 in turn, in three networks.
    func key(_ number: Int) -> NeighborKey {
        let value = UInt64(number / 6)
        let address: IPAddress =
            number % 2 == 0
            ? .v4(IPv4Address(bits: 0x0a00_0000 + UInt32(value)))
            : .v6(IPv6Address(high: 0xfd00 << 48 | value, low: value % 7))
        return NeighborKey(network: UInt16(number / 2 % 3), address: address)
    }

    func get(_ table: NeighborTable, _ key: NeighborKey) -> Entry? {
        table.get(key).map { Entry(mac: $0.mac, fixed: $0.isFixed) }
    }

    @Test("Random changes", arguments: [3, 50, 2000, 100_000])
    func randomChanges(_ keys: Int) {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let table = NeighborTable(domain: ReclamationDomain(), capacity: 16, seed: seed)
        var model: [NeighborKey: Entry] = [:]
        for step in 0..<40_000 {
            let key = key(generator.below(keys))
            if generator.oneIn(3) {
                let was = model.removeValue(forKey: key) != nil
                if table.remove(key) != was { Issue.record("removed \(step), seed \(seed)") }
            } else {
                // Zero is a MAC like any other here: it must not read as nothing.
                let mac = MACAddress(bits: generator.oneIn(9) ? 0 : generator.next())
                let entry = Entry(mac: mac, fixed: generator.oneIn(3))
                table.set(key, entry.mac, fixed: entry.fixed)
                model[key] = entry
            }
            let seen = table.view.lookup(network: key.network, key.address)
            if get(table, key) != model[key] || seen != model[key]?.mac
                || table.count != model.count
            {
                Issue.record("step \(step), seed \(seed)")
                return
            }
        }
        var all: [NeighborKey: Entry] = [:]
        table.forEach { all[$0] = Entry(mac: $1, fixed: $2) }
        #expect(all == model, "seed \(seed)")
    }

    @Test func mappedIPv4IsIPv4() {
        let table = NeighborTable(domain: ReclamationDomain())
        let v4 = IPv4Address(bits: 0x0a00_0001)
        table.set(NeighborKey(network: 0, address: .v4(v4)), MACAddress(bits: 5))
        #expect(
            table.view.lookup(network: 0, IPv6Address(mapping: v4)) == MACAddress(bits: 5))
        #expect(table.view.lookup(network: 1, IPv6Address(mapping: v4)) == nil)
    }
}
