// LearningQueue: what a worker saw, for the one thread that writes the tables. One producer, one
// consumer, bounded; a full queue loses a report, which the endpoint's next frame makes again.

public import Synchronization
package import Wire

/// A source that was seen somewhere new, or not for a while.
package struct Sighting: Equatable {
    package var endpoint: EndpointKey
    package var location: Location
    /// The source's own IP address, where the frame told it (ARP, ND); `.any` = not told.
    package var address: IPv6Address
    /// What it said of itself with it.
    package var role: NeighborRole

    package init(
        endpoint: EndpointKey, location: Location, address: IPv6Address,
        role: NeighborRole = .unknown
    ) {
        self.endpoint = endpoint
        self.location = location
        self.address = address
        self.role = role
    }

    /// Place and role in one word.
    fileprivate var place: UInt64 { UInt64(location.bits) | UInt64(role.rawValue) << 32 }
}

/// The worker's end and the writer's end of the queue.
@frozen
public struct LearningQueue: @unchecked Sendable {
    /// Word 0: written by the worker; word 8, a cache line on: read by the writer.
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline static var slotsAt: Int { 16 }
    /// Sightings that wait at most.
    package static var capacity: UInt64 { 1024 }
    /// What was reported lately, so that a burst of frames of one source makes one report.
    @usableFromInline let recent: UnsafeMutablePointer<UInt64>
    @usableFromInline static var recentCount: Int { 256 }

    package init() {
        let count = LearningQueue.slotsAt + Int(LearningQueue.capacity) * 4
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: count * 8)
        // SAFETY: Atomic<UInt64> has the representation of a UInt64.
        words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
        recent = .allocate(capacity: LearningQueue.recentCount)
        recent.initialize(repeating: 0, count: LearningQueue.recentCount)
    }

    package func deallocate() {
        UnsafeMutableRawPointer(words).deallocate()
        recent.deallocate()
    }

    /// Reports a sighting. False if the queue was full.
    package func report(_ sighting: Sighting, now: UInt32) -> Bool {
        let mark = fingerprint(sighting, now)
        // By the source alone: one that is here and there again is reported each time.
        let source = sighting.endpoint.bits &* 0x9e37_79b9_7f4a_7c15
        let cell = Int(truncatingIfNeeded: source >> 56) % LearningQueue.recentCount
        if recent[cell] == mark { return true }
        let tail = words[0].load(ordering: .relaxed)
        guard tail &- words[8].load(ordering: .acquiring) < LearningQueue.capacity else {
            return false
        }
        let base = LearningQueue.slotsAt &+ Int(tail % LearningQueue.capacity) &* 4
        words[base].store(sighting.endpoint.bits, ordering: .relaxed)
        words[base &+ 1].store(sighting.place, ordering: .relaxed)
        words[base &+ 2].store(sighting.address.high, ordering: .relaxed)
        words[base &+ 3].store(sighting.address.low, ordering: .relaxed)
        words[0].store(tail &+ 1, ordering: .releasing)
        recent[cell] = mark
        return true
    }

    /// The same source at the same place with the same address within the same second.
    private func fingerprint(_ sighting: Sighting, _ now: UInt32) -> UInt64 {
        var hash = sighting.endpoint.bits &* 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ sighting.place << 28 ^ UInt64(now)) &* 0xd6e8_feb8_6659_fd93
        hash =
            (hash ^ sighting.address.low ^ sighting.address.high.byteSwapped)
            &* 0xa076_1d64_78bd_642f
        return (hash ^ hash >> 32) | 1
    }

    /// Something waits to be taken.
    @inline(__always)
    package var isEmpty: Bool {
        words[0].load(ordering: .acquiring) == words[8].load(ordering: .relaxed)
    }

    /// Takes the oldest sighting. The writer's end.
    package func take() -> Sighting? {
        let head = words[8].load(ordering: .relaxed)
        guard head != words[0].load(ordering: .acquiring) else { return nil }
        let base = LearningQueue.slotsAt + Int(head % LearningQueue.capacity) * 4
        let place = words[base + 1].load(ordering: .relaxed)
        let sighting = Sighting(
            endpoint: EndpointKey(bits: words[base].load(ordering: .relaxed)),
            location: Location(bits: UInt32(truncatingIfNeeded: place)),
            address: IPv6Address(
                high: words[base + 2].load(ordering: .relaxed),
                low: words[base + 3].load(ordering: .relaxed)),
            role: NeighborRole(rawValue: UInt8(truncatingIfNeeded: place >> 32)) ?? .unknown)
        words[8].store(head &+ 1, ordering: .releasing)
        return sighting
    }
}
