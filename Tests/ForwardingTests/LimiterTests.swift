import Forwarding
import Synchronization
import TestFrames
import Testing
import Wire

private typealias Limit = TopologyDescription.Limit

/// A host whose port 0 has a limit on what comes from its VM.
private final class LimitedPort {
    let host: TestHost

    init(_ limit: Limit) { host = TestHost { $0.ports[0]!.fromVM = limit } }

    var limiter: UnsafeMutablePointer<Limiter> {
        host.view.topology.port(0).pointee.fromVM!
    }

    func refuses(_ bytes: Int, frames: Int = 1, at nanoseconds: UInt64) -> Drop? {
        limiter.pointee.refuses(bytes: bytes, frames: frames, nanoseconds: nanoseconds)
    }
}

/// The same as a bucket that is refilled: slow, by floating point, for one caller.
private struct Bucket {
    let rate: Double
    let size: Double
    var level: Double
    var time: UInt64 = 0

    init(rate: Double, size: Double) {
        self.rate = rate
        self.size = size
        level = size
    }

    mutating func refill(_ now: UInt64) {
        level = min(size, level + Double(now - time) * rate / 1e9)
        time = now
    }
}

@Suite("What may pass a port")
struct LimiterTests {
    @Test("it decides as a refilled bucket does")
    func reference() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let rate = UInt64(generator.below(10_000)) * 1_000_000 + 8000
            let burst = UInt64(generator.below(1 << 20)) + 2000
            let packets = UInt64(generator.below(1_000_000)) + 1
            let port = LimitedPort(
                Limit(
                    bitsPerSecond: rate, burst: burst, framesPerSecond: packets, frameBurst: 64))
            var bytes = Bucket(rate: Double(rate) / 8, size: Double(burst))
            var frames = Bucket(rate: Double(packets), size: 64)
            var now: UInt64 = 1 << 40
            bytes.time = now
            frames.time = now
            for _ in 0..<2000 {
                now += UInt64(generator.below(generator.oneIn(50) ? 100_000_000 : 200_000))
                let count = generator.below(45) + 1
                let length = count * (generator.below(1400) + 60)
                bytes.refill(now)
                frames.refill(now)
                let reason = port.refuses(length, frames: count, at: now)
                let expected: Drop? =
                    bytes.level <= 0
                    ? .overRateFromVM : frames.level <= 0 ? .overPacketsFromVM : nil
                // Where the bucket is empty to a byte or a hundredth of a frame, either is right.
                let isClose = abs(bytes.level) < 1 || abs(frames.level) < 0.01
                if !isClose, reason != expected {
                    Issue.record("\(String(describing: reason)), seed \(seed)")
                    return
                }
                guard reason == nil else { continue }
                bytes.level -= Double(length)
                frames.level -= Double(count)
            }
        }
    }

    @Test(
        "the average is exact, from the slowest to the fastest",
        arguments: [8000, 1_000_000, 500_000_000, 25_000_000_000, 400_000_000_000] as [UInt64],
        [60, 1464, 65_550])
    func average(rate: UInt64, length: Int) {
        let port = LimitedPort(Limit(bitsPerSecond: rate, burst: 65536))
        // A load of ten times the rate, for long enough to pay for the burst a thousand times.
        let seconds = max(65_536.0, Double(length)) * 8 * 1000 / Double(rate)
        let step = Double(length) * 8 / Double(rate) / 10 * 1e9
        let count = min(200_000, Int(seconds * 1e9 / step))
        var passed = 0
        for number in 0..<count {
            let now = 1 << 40 + UInt64(Double(number) * step)
            if port.refuses(length, at: now) == nil { passed += length }
        }
        let expected = Double(count) * step * Double(rate) / 8e9 + 65536
        #expect(abs(Double(passed) - expected) < expected * 0.011 + 2 * Double(length))
    }

    @Test("frames per second are exact too", arguments: [1, 1000, 50_000_000] as [UInt64])
    func frames(rate: UInt64) {
        let port = LimitedPort(Limit(framesPerSecond: rate, frameBurst: 64))
        let step = 1e9 / Double(rate) / 4
        var passed = 0
        for number in 0..<100_000 {
            let now = 1 << 40 + UInt64(Double(number) * step)
            if port.refuses(1500, at: now) == nil { passed += 1 }
        }
        #expect(abs(passed - 25_064) <= 25)
    }

    @Test("a superframe larger than the burst passes, and those after it wait for it")
    func debt() {
        // A byte takes a microsecond.
        let port = LimitedPort(Limit(bitsPerSecond: 8_000_000, burst: 10_000))
        let start: UInt64 = 5_000_000_000
        #expect(port.refuses(65_000, at: start) == nil)
        #expect(port.refuses(60, at: start) == .overRateFromVM)
        #expect(port.refuses(60, at: start + 54_999_000) == .overRateFromVM)
        #expect(port.refuses(60, at: start + 55_001_000) == nil)
        // After a pause, however long, there is one burst and no more.
        for pause in [1.0, 1e9] {
            let later = start + 1_000_000_000 + UInt64(pause * 1e9 / 16)
            let passed = (0..<100).count { _ in port.refuses(1000, at: later) == nil }
            #expect(passed == 10)
        }
    }

    @Test("what one limit refuses does not use up the other")
    func both() {
        let port = LimitedPort(
            Limit(bitsPerSecond: 8_000_000, burst: 10_000, framesPerSecond: 1, frameBurst: 2))
        #expect(port.refuses(1000, at: 1) == nil)
        #expect(port.refuses(1000, at: 1) == nil)
        for _ in 0..<100 { #expect(port.refuses(1000, at: 1) == .overPacketsFromVM) }
        // Two seconds later there are two frames again, and of the bytes the whole burst.
        #expect(port.refuses(20_000, at: 2_000_000_001) == nil)
        #expect(port.refuses(60, at: 2_000_000_001) == .overRateFromVM)
    }

    @Test("several workers share one limit")
    func severalCallers() {
        let rate: UInt64 = 1_000_000_000
        let port = LimitedPort(Limit(bitsPerSecond: rate, burst: 65536))
        let length = 1500
        let clock = Atomic<UInt64>(1 << 40)
        let passed = Atomic<Int>(0)
        let topology = port.host.keeper.topology
        let end: UInt64 = 1 << 40 + 500_000_000
        // Each step of the shared clock is a tenth of a frame's time: ten times the rate.
        withThreads(4) { _, _ in
            let limiter = topology.view.port(0).pointee.fromVM!
            while true {
                let now = clock.wrappingAdd(1200, ordering: .relaxed).newValue
                guard now < end else { return }
                let reason = limiter.pointee.refuses(
                    bytes: length, frames: 1, nanoseconds: now)
                if reason == nil { passed.wrappingAdd(length, ordering: .relaxed) }
            }
        } whilst: {
        }
        let expected = Double(rate) / 8 * 0.5 + 65536
        let total = passed.load(ordering: .relaxed)
        #expect(abs(Double(total) - expected) < expected * 0.01, "\(total) of \(expected)")
    }

    @Test("a limit keeps what it has used while it stays, whatever else changes")
    func changes() {
        let limit = Limit(bitsPerSecond: 8_000_000, burst: 10_000)
        let port = LimitedPort(limit)
        let now: UInt64 = 1_000_000_000
        #expect(port.refuses(10_000, at: now) == nil)
        let before = port.limiter
        port.host.change { $0.ports[1]!.fromVM = limit }
        port.host.change { $0.ports[0]!.toVM = limit }
        #expect(port.limiter == before)
        #expect(port.refuses(60, at: now) == .overRateFromVM)
        let other = port.host.view.topology.port(1).pointee.fromVM
        #expect(other != nil && other != before)
        #expect(port.host.view.topology.port(0).pointee.toVM != nil)
        // Another limit owes nothing for what passed under the old one.
        port.host.change { $0.ports[0]!.fromVM!.burst = 20_000 }
        #expect(port.refuses(60, at: now) == nil)
        port.host.change { $0.ports[0]!.fromVM = nil }
        #expect(port.host.view.topology.port(0).pointee.fromVM == nil)
        #expect(port.host.view.topology.port(1).pointee.fromVM == other)
    }

    @Test("the two directions say which they are")
    func reasons() {
        let limit = Limit(framesPerSecond: 1, frameBurst: 1)
        let host = TestHost {
            $0.ports[0]!.fromVM = limit; $0.ports[0]!.toVM = limit
        }
        let port = host.view.topology.port(0)
        func reason(_ limiter: UnsafeMutablePointer<Limiter>?) -> Drop? {
            let second = (0..<2).map { _ in
                limiter!.pointee.refuses(bytes: 60, frames: 1, nanoseconds: 1 << 40)
            }
            return second[1]
        }
        #expect(reason(port.pointee.fromVM) == .overPacketsFromVM)
        #expect(reason(port.pointee.toVM) == .overPacketsToVM)
    }
}
