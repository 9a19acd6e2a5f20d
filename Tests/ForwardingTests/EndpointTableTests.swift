import Forwarding
import TestFrames
import Testing
import Wire

/// The table of endpoints against a dictionary.
@Suite("Endpoint table")
struct EndpointTableTests {
    struct Entry: Equatable {
        var location: Location
        var seen: UInt32
    }

    func contents(_ table: EndpointTable) -> [EndpointKey: Entry] {
        var all: [EndpointKey: Entry] = [:]
        var visits = 0
        table.forEach { key, location, seen in
            all[key] = Entry(location: location, seen: seen)
            visits += 1
        }
        #expect(visits == all.count, "each endpoint once")
        return all
    }

    func look(_ table: EndpointTable, _ key: EndpointKey) -> Entry? {
        table.view.lookup(key).map { Entry(location: $0.location, seen: $0.seen) }
    }

    func randomLocation(_ generator: inout SeededGenerator) -> Location {
        let index = UInt16(truncatingIfNeeded: generator.next())
        let fixed = generator.oneIn(4)
        return generator.oneIn(2) ? .port(index, fixed: fixed) : .peer(index, fixed: fixed)
    }

    /// Few keys make many moves and removals, many make growth; a seed of zero and MACs that
    /// count up are what an attacker would wish for.
    @Test("Random changes", arguments: [3, 50, 2000, 100_000])
    func randomChanges(_ keys: Int) {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let domain = ReclamationDomain()
        let table = EndpointTable(domain: domain, capacity: 16, seed: seed % 2 == 0 ? 0 : seed)
        var model: [EndpointKey: Entry] = [:]
        for step in 0..<40_000 {
            let number = generator.below(keys)
            let key = EndpointKey(
                network: UInt16(number % 3), mac: MACAddress(bits: UInt64(number / 3 + 1)))
            if generator.oneIn(3) {
                let was = model.removeValue(forKey: key) != nil
                if table.remove(key) != was { Issue.record("removed \(step), seed \(seed)") }
            } else {
                let entry = Entry(
                    location: randomLocation(&generator),
                    seen: UInt32(truncatingIfNeeded: generator.next()))
                table.set(key, entry.location, seen: entry.seen)
                model[key] = entry
            }
            if look(table, key) != model[key] || table.count != model.count {
                Issue.record("step \(step), seed \(seed)")
                return
            }
        }
        #expect(contents(table) == model, "seed \(seed)")
        for number in 0..<keys {
            let key = EndpointKey(
                network: UInt16(number % 3), mac: MACAddress(bits: UInt64(number / 3 + 1)))
            if look(table, key) != model[key] { Issue.record("\(number), seed \(seed)") }
        }
    }

    /// Endpoints that come and go must not make the table grow for ever, nor lookups walk over
    /// what is gone.
    @Test func churnIsBounded() {
        let table = EndpointTable(domain: ReclamationDomain(), capacity: 16)
        for number in 1...200_000 {
            let key = EndpointKey(network: 0, mac: MACAddress(bits: UInt64(number)))
            table.set(key, .port(1), seen: 1)
            if number > 10 {
                table.remove(
                    EndpointKey(network: 0, mac: MACAddress(bits: UInt64(number - 10))))
            }
        }
        #expect(table.count == 10)
        #expect(table.slotCount <= 64)
    }

    @Test func keysOfAllNetworksDiffer() {
        let table = EndpointTable(domain: ReclamationDomain())
        let mac = MACAddress(bits: 0xffff_ffff_fffe)
        for network in [0, 1, 0x7fff, 0xfffe] as [UInt16] {
            let key = EndpointKey(network: network, mac: mac)
            #expect(key.network == network)
            #expect(key.mac == mac)
            table.set(key, .port(network), seen: 0)
        }
        for network in [0, 1, 0x7fff, 0xfffe] as [UInt16] {
            let found = look(table, EndpointKey(network: network, mac: mac))
            #expect(found == Entry(location: .port(network), seen: 0))
        }
        #expect(look(table, EndpointKey(network: 2, mac: mac)) == nil)
    }

    @Test func aMillionEndpoints() {
        let domain = ReclamationDomain()
        let table = EndpointTable(domain: domain)
        let count = 1_000_000
        for number in 0..<count {
            let mac = MACAddress(bits: 0x0200_0000_0000 + UInt64(number))
            table.set(
                EndpointKey(network: 7, mac: mac),
                .peer(UInt16(truncatingIfNeeded: number % 60_000)), seen: UInt32(number))
        }
        #expect(table.count == count)
        #expect(table.slotCount == 1 << 21)
        #expect(domain.pending == 0, "without readers nothing waits")
        let view = table.view
        var wrong = 0
        for number in 0..<count {
            let mac = MACAddress(bits: 0x0200_0000_0000 + UInt64(number))
            let found = view.lookup(EndpointKey(network: 7, mac: mac))
            if found?.seen != UInt32(number)
                || found?.location != .peer(UInt16(truncatingIfNeeded: number % 60_000))
            {
                wrong += 1
            }
            if view.lookup(EndpointKey(network: 8, mac: mac)) != nil { wrong += 1 }
        }
        #expect(wrong == 0)
    }
}
