import Forwarding
import Testing
import Wire

/// When replaced memory is freed.
@Suite("Reclamation")
struct ReclamationTests {
    func retire(_ domain: ReclamationDomain) {
        domain.retire(.allocate(byteCount: 64, alignment: 8))
    }

    @Test func withoutReadersAtOnce() {
        let domain = ReclamationDomain()
        retire(domain)
        #expect(domain.pending == 0)
    }

    @Test func notBeforeAReaderHasPassedAQuiescentPoint() {
        let domain = ReclamationDomain()
        let reader = domain.makeReader()
        reader.quiescent()
        retire(domain)
        domain.collect()
        #expect(domain.pending == 1)
        reader.quiescent()
        #expect(domain.pending == 1, "only the writer frees")
        domain.collect()
        #expect(domain.pending == 0)
    }

    @Test func everyReaderCounts() {
        let domain = ReclamationDomain()
        let readers = (0..<3).map { _ in domain.makeReader() }
        for reader in readers { reader.quiescent() }
        retire(domain)
        for reader in readers {
            domain.collect()
            #expect(domain.pending == 1)
            reader.quiescent()
        }
        domain.collect()
        #expect(domain.pending == 0)
    }

    @Test func sleepersHoldNothing() {
        let domain = ReclamationDomain()
        let awake = domain.makeReader()
        let sleeper = domain.makeReader()
        let never = domain.makeReader()
        awake.quiescent()
        sleeper.quiescent()
        retire(domain)
        sleeper.sleep()
        awake.quiescent()
        domain.collect()
        #expect(domain.pending == 0)
        withExtendedLifetime(never) {}
    }

    @Test func whoWakesHoldsWhatIsRetiredFromThen() {
        let domain = ReclamationDomain()
        let reader = domain.makeReader()
        reader.sleep()
        retire(domain)
        #expect(domain.pending == 0)
        reader.quiescent()
        retire(domain)
        retire(domain)
        #expect(domain.pending == 2)
        reader.quiescent()
        retire(domain)
        #expect(domain.pending == 1, "what was retired before the quiescent point is free")
    }

    @Test func tablesHandTheirOldStorageOver() {
        let domain = ReclamationDomain()
        let reader = domain.makeReader()
        let table = EndpointTable(domain: domain, capacity: 16)
        reader.quiescent()
        let old = table.view
        let key = EndpointKey(network: 0, mac: .init(bits: 1))
        table.set(key, .port(1), seen: 1)
        for number in 2...13 {
            table.set(EndpointKey(network: 0, mac: .init(bits: UInt64(number))), .port(2), seen: 2)
        }
        #expect(table.slotCount > 16)
        #expect(domain.pending == 1)
        #expect(old.lookup(key)?.location == .port(1), "the old view can still be read")
        table.set(key, .port(3), seen: 3)
        #expect(old.lookup(key)?.location == .port(1))
        #expect(table.view.lookup(key)?.location == .port(3))
        reader.quiescent()
        domain.collect()
        #expect(domain.pending == 0)
    }
}
