import Forwarding
import TestFrames
import Testing

@Suite("Counters")
struct CountersTests {
    private let counters = Counters(portCapacity: 3, peerCapacity: 2, networkCapacity: 4)

    @Test("each reason of each port, peer and network has a place of its own")
    func places() {
        defer { counters.deallocate() }
        // A number of its own for each pair: what lands elsewhere shows as a wrong sum.
        var amount = 1
        var wanted: [(() -> UInt64, Int)] = []
        for reason in Drop.allCases {
            for port in 0..<3 {
                counters.drop(reason, frames: amount, port: UInt16(port), network: .max)
                wanted.append(({ counters.read(port: port, drop: reason) }, amount))
                amount += 7
            }
            for peer in 0..<2 {
                counters.drop(reason, frames: amount, peer: UInt16(peer), network: nil)
                wanted.append(({ counters.read(peer: peer, drop: reason) }, amount))
                amount += 11
            }
        }
        for (read, amount) in wanted { #expect(read() == UInt64(amount)) }
        let all = wanted.reduce(0) { $0 + UInt64($1.1) }
        #expect(Drop.allCases.reduce(0) { $0 + counters.read(drop: $1) } == all)
        let flows =
            (0..<3).reduce(0) { $0 + counters.read(port: $1, .drops) }
            + (0..<2).reduce(0) { $0 + counters.read(peer: $1, .drops) }
        #expect(flows == all)
        for network in 0..<4 {
            for reason in Drop.allCases {
                #expect(counters.read(network: network, drop: reason) == 0)
            }
        }
    }

    @Test("a network's drops are those of its ports, and of its peers where it is known")
    func networks() {
        defer { counters.deallocate() }
        counters.drop(.tooBig, frames: 2, port: 0, network: 3)
        counters.drop(.tooBig, frames: 5, isCopy: true, peer: 1, network: 3)
        counters.drop(.underlayFull, frames: 9, peer: 1, network: nil)
        // Without a row of its own.
        counters.drop(.tooBig, frames: 1, port: 0, network: 4)
        #expect(counters.read(network: 3, drop: .tooBig) == 7)
        #expect(counters.read(network: 3, drop: .underlayFull) == 0)
        #expect(counters.read(network: 4, drop: .tooBig) == 0)
        #expect(counters.read(drop: .tooBig) == 3)
        #expect(counters.read(copyDrop: .tooBig) == 5)
    }

    @Test("gauges say what is, and the most that was")
    func gauges() {
        defer { counters.deallocate() }
        for value in [3, 8, 5] { counters.set(.operations, value, peak: .operationsPeak) }
        #expect(counters.read(.operations) == 5)
        #expect(counters.read(.operationsPeak) == 8)
        #expect(counters.read(.submissionsPeak) == 0)
    }

    @Test(
        "a turn is counted in the first bucket that it does not exceed",
        arguments: [
            (UInt64(0), 0), (1, 0), (1024, 0), (1025, 1), (2048, 1), (2049, 2),
            (1 << 30, 20), ((1 << 30) + 1, 21), (.max, 21),
        ])
    func buckets(nanoseconds: UInt64, bucket: Int) {
        defer { counters.deallocate() }
        #expect(TurnTimes.bucket(nanoseconds) == bucket)
        #expect(TurnTimes.bounds.count == 21)
        if bucket < TurnTimes.bounds.count { #expect(nanoseconds <= TurnTimes.bounds[bucket]) }
        if bucket > 0 { #expect(nanoseconds > TurnTimes.bounds[bucket - 1]) }
        counters.addTurn(nanoseconds: nanoseconds)
        #expect(counters.turnCounts[bucket] == 1)
        #expect(counters.turnCounts.reduce(0, +) == 1)
        #expect(counters.turnNanoseconds == nanoseconds)
    }
}
