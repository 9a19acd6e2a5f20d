import Forwarding
import Synchronization
import TestFrames
import Testing
import Wire

/// Readers look up while the writer inserts, moves, removes and grows. A value says which key it
/// belongs to, so a reader notices one that is another's, torn, or out of freed memory.
@Suite("Tables read while they are written", .serialized)
struct ConcurrentTableTests {
    static let seconds = 0.4
    static let keys = 3000

    static func key(_ number: Int) -> EndpointKey {
        EndpointKey(network: UInt16(number % 2), mac: MACAddress(bits: UInt64(number) + 1))
    }

    /// The number in the index and, scrambled with what changes, in the time.
    static func isOf(_ number: Int, _ location: Location, _ seen: UInt32) -> Bool {
        Int(location.index) == number && Int(seen % UInt32(keys)) == number
    }

    @Test func endpointsOfReadersAreTheKeys() {
        let seed = testSeed()
        let domain = ReclamationDomain()
        let readers = (0..<2).map { _ in domain.makeReader() }
        let wrong = Atomic<Int>(0)
        let found = Atomic<Int>(0)
        var growths = 0
        // The first keys are there all the time and must always be found.
        let lasting = 100

        var generator = SeededGenerator(seed: seed)
        let end = monotonicSeconds() + Self.seconds
        // Every round starts with a small table, so that it grows again and again.
        while monotonicSeconds() < end {
            let table = EndpointTable(domain: domain, capacity: 16)
            for number in 0..<lasting {
                table.set(Self.key(number), .port(UInt16(number)), seen: UInt32(number))
            }
            withThreads(2) { thread, isOver in
                var generator = SeededGenerator(seed: seed &+ UInt64(thread))
                while !isOver.isSet {
                    readers[thread].quiescent()
                    let view = table.view
                    for _ in 0..<64 {
                        let number = generator.below(generator.oneIn(4) ? lasting : Self.keys)
                        guard let (location, seen) = view.lookup(Self.key(number)) else {
                            if number < lasting { wrong.add(1, ordering: .relaxed) }
                            continue
                        }
                        found.add(1, ordering: .relaxed)
                        if !Self.isOf(number, location, seen) { wrong.add(1, ordering: .relaxed) }
                    }
                }
                readers[thread].sleep()
            } whilst: {
                for step in 0..<20_000 {
                    let limit = min(Self.keys, lasting + step / 4 + 1)
                    let number = lasting + generator.below(limit - lasting)
                    if generator.oneIn(3) {
                        table.remove(Self.key(number))
                    } else {
                        let round = UInt32(generator.below(1000)) * UInt32(Self.keys)
                        let index = UInt16(number)
                        table.set(
                            Self.key(number), generator.oneIn(2) ? .port(index) : .peer(index),
                            seen: round + UInt32(number))
                    }
                    if step % 64 == 0 { domain.collect() }
                }
                growths += table.slotCount > 1024 ? 1 : 0
            }
            domain.collect()
            #expect(domain.pending == 0, "readers sleep: nothing waits")
        }
        #expect(wrong.load(ordering: .relaxed) == 0, "seed \(seed)")
        #expect(found.load(ordering: .relaxed) > 0)
        #expect(growths > 0)
    }

    @Test func neighboursOfReadersAreTheKeys() {
        let seed = testSeed()
        let domain = ReclamationDomain()
        let readers = (0..<2).map { _ in domain.makeReader() }
        let wrong = Atomic<Int>(0)
        let found = Atomic<Int>(0)
        @Sendable func address(_ number: Int) -> IPv6Address {
            IPv6Address(high: UInt64(number), low: UInt64(Self.keys - number))
        }
        var generator = SeededGenerator(seed: seed)
        let end = monotonicSeconds() + Self.seconds
        while monotonicSeconds() < end {
            let table = NeighborTable(domain: domain, capacity: 16)
            withThreads(2) { thread, isOver in
                var generator = SeededGenerator(seed: seed &+ UInt64(thread))
                while !isOver.isSet {
                    readers[thread].quiescent()
                    let view = table.view
                    for _ in 0..<64 {
                        let number = generator.below(Self.keys)
                        guard let mac = view.lookup(network: 1, address(number)) else { continue }
                        found.add(1, ordering: .relaxed)
                        if Int(mac.bits) % Self.keys != number {
                            wrong.add(1, ordering: .relaxed)
                        }
                    }
                }
                readers[thread].sleep()
            } whilst: {
                for step in 0..<20_000 {
                    let number = generator.below(min(Self.keys, step / 4 + 1))
                    let key = NeighborKey(network: 1, address: .v6(address(number)))
                    if generator.oneIn(3) {
                        table.remove(key)
                    } else {
                        let value = generator.below(1 << 20) * Self.keys + number
                        table.set(key, MACAddress(bits: UInt64(value)))
                    }
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0, "seed \(seed)")
        #expect(found.load(ordering: .relaxed) > 0)
    }

    /// Every network of a published topology tells the same generation in all its numbers.
    @Test func topologiesAreReadWhole() {
        let keeper = TableKeeper()
        let (queue, reader) = keeper.addWorker()
        defer { queue.deallocate() }
        @Sendable func description(_ generation: UInt32) -> TopologyDescription {
            var description = TopologyDescription()
            let count = Int(generation % 50) + 1
            description.networks = (0..<count).map {
                .init(vni: generation * 100 + UInt32($0), mtu: generation)
            }
            description.ports = (0..<count).map { .init(network: UInt16($0)) }
            return description
        }
        keeper.publish(description(1))
        let wrong = Atomic<Int>(0)
        let end = monotonicSeconds() + Self.seconds
        let topology = keeper.topology
        withThreads(1) { _, isOver in
            while !isOver.isSet {
                reader.quiescent()
                let view = topology.view
                let generation = view.network(0).pointee.mtu
                var isRight = view.networkCount == Int(generation % 50) + 1
                for index in 0..<UInt16(view.networkCount) {
                    let network = view.network(index).pointee
                    isRight =
                        isRight && network.mtu == generation
                        && network.vni == generation * 100 + UInt32(index)
                        && view.network(vni: network.vni) == index
                        && view.member(network.ports, 0) == index
                }
                if !isRight { wrong.add(1, ordering: .relaxed) }
            }
            reader.sleep()
        } whilst: {
            var generation: UInt32 = 1
            while monotonicSeconds() < end {
                generation += 1
                keeper.publish(description(generation % 100_000 + 1))
                keeper.domain.collect()
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        keeper.domain.collect()
        #expect(keeper.domain.pending == 0)
    }
}
