import Forwarding
import Synchronization
import TestFrames
import Testing
import Wire

/// The queue from a worker to the tables' writer.
@Suite("Learning queue")
struct LearningQueueTests {
    func sighting(_ number: Int) -> Sighting {
        Sighting(
            endpoint: EndpointKey(network: 3, mac: MACAddress(bits: UInt64(number))),
            location: .peer(UInt16(truncatingIfNeeded: number)),
            address: IPv6Address(high: UInt64(number), low: ~UInt64(number)))
    }

    @Test func firstInFirstOut() {
        let queue = LearningQueue()
        defer { queue.deallocate() }
        #expect(queue.isEmpty)
        #expect(queue.take() == nil)
        for round in 0..<10 {
            for number in 0..<300 { #expect(queue.report(sighting(round * 300 + number), now: 1)) }
            #expect(!queue.isEmpty)
            for number in 0..<300 { #expect(queue.take() == sighting(round * 300 + number)) }
            #expect(queue.isEmpty)
        }
    }

    @Test func fullQueueRefusesAndLosesNothingElse() {
        let queue = LearningQueue()
        defer { queue.deallocate() }
        let capacity = Int(LearningQueue.capacity)
        for number in 0..<capacity { #expect(queue.report(sighting(number), now: 1)) }
        #expect(!queue.report(sighting(capacity), now: 1))
        #expect(queue.take() == sighting(0))
        #expect(queue.report(sighting(capacity), now: 1), "what was refused may come again")
        for number in 1...capacity { #expect(queue.take() == sighting(number)) }
        #expect(queue.take() == nil)
    }

    @Test func burstOfOneSourceIsOneReport() {
        let queue = LearningQueue()
        defer { queue.deallocate() }
        for _ in 0..<5 { #expect(queue.report(sighting(1), now: 1)) }
        #expect(queue.take() == sighting(1))
        #expect(queue.take() == nil)
        #expect(queue.report(sighting(1), now: 2), "in the next second it is news")
        #expect(queue.take() == sighting(1))
        var moved = sighting(1)
        moved.location = .port(1)
        #expect(queue.report(moved, now: 2), "and so is another place")
        #expect(queue.take() == moved)
        moved.address = .any
        #expect(queue.report(moved, now: 2), "or another address")
        #expect(queue.take() == moved)
    }

    @Test func oneThreadReportsAndAnotherTakes() {
        let queue = LearningQueue()
        defer { queue.deallocate() }
        let total = 200_000
        let sighting = sighting
        var received = 0
        var wrong = 0
        withThreads(1) { _, _ in
            for number in 0..<total {
                while !queue.report(sighting(number), now: 1) {}
            }
        } whilst: {
            let end = monotonicSeconds() + 20
            while received < total, monotonicSeconds() < end {
                guard let next = queue.take() else { continue }
                if next != sighting(received) { wrong += 1 }
                received += 1
            }
            // Were some lost, the reporter must still come to its end.
            if received < total { while queue.take() != nil {} }
        }
        #expect(received == total)
        #expect(wrong == 0)
    }
}
