import Capture
import Foundation
import Synchronization
import TestFrames
import Testing

@Suite("Capture ring")
struct CaptureRingTests {
    /// A packet whose bytes follow from its number.
    private func bytes(_ number: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number &* 31 &+ UInt64($0)) }
    }

    @Test func givesBackWhatItTook() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let ring = CaptureRing(capacity: 1024, rows: 4)
        defer { ring.deallocate() }
        var expected: [(CaptureRecord, [UInt8])] = []
        var lost: [UInt64] = [0, 0, 0, 0, 0]
        for number in 0..<5000 as Range<UInt64> {
            if generator.oneIn(3), let record = ring.peek() {
                var found: [UInt8] = [9]
                ring.take(record, appendingTo: &found)
                let (wanted, bytes) = expected.removeFirst()
                #expect(record == wanted && found == [9] + bytes, "seed \(seed)")
            }
            let length = generator.below(300)
            let kept = generator.below(length + 1)
            let row = generator.oneIn(5) ? CaptureRecord.underlay : UInt16(generator.below(4))
            let record = CaptureRecord(
                row: row, marks: generator.oneIn(2) ? .outbound : [], frames: 3, reason: 7,
                time: number, keptLength: kept, length: length)
            let packet = bytes(number, count: length)
            let isTaken = withPieces(packet, cuts: generator.cuts(length)) {
                ring.push(record, $0)
            }
            if isTaken {
                expected.append((record, Array(packet[..<kept])))
            } else {
                lost[min(4, Int(row))] += 1
            }
            #expect(ring.captured + ring.lost == number + 1, "seed \(seed)")
        }
        #expect(lost.reduce(0, +) > 0 && ring.captured > 0, "seed \(seed)")
        for row in 0..<4 { #expect(ring.lost(row: UInt16(row)) == lost[row], "seed \(seed)") }
        #expect(ring.lost(row: CaptureRecord.underlay) == lost[4], "seed \(seed)")
    }

    @Test("a reader beside the writer gets each packet whole, or it is counted as lost")
    func concurrently() {
        let seed = testSeed()
        let ring = CaptureRing(capacity: 1 << 14, rows: 1)
        defer { ring.deallocate() }
        let total: UInt64 = 300_000
        let isOver = Atomic<Bool>(false)
        let writer = Thread {
            var generator = SeededGenerator(seed: seed)
            let pattern = [UInt8](repeating: 0, count: 600).indices.map {
                UInt8(truncatingIfNeeded: $0)
            }
            withPieces(pattern, cuts: [14, 34]) { packet in
                for number in 0..<total {
                    ring.push(
                        CaptureRecord(
                            row: 0, marks: [], time: number,
                            keptLength: generator.below(600), length: 600), packet)
                }
            }
            isOver.store(true, ordering: .releasing)
        }
        writer.start()
        var next: UInt64 = 0
        var missed: UInt64 = 0
        var taken: UInt64 = 0
        var broken = 0
        var buffer: [UInt8] = []
        while true {
            let wasOver = isOver.load(ordering: .acquiring)
            guard let record = ring.peek() else {
                if wasOver { break }
                continue
            }
            missed += record.time - next
            next = record.time + 1
            taken += 1
            buffer.removeAll(keepingCapacity: true)
            ring.take(record, appendingTo: &buffer)
            if buffer.count != Int(record.keptLength) { broken += 1 }
            for (index, byte) in buffer.enumerated() where byte != UInt8(truncatingIfNeeded: index)
            {
                broken += 1
                break
            }
        }
        missed += total - next
        #expect(broken == 0, "seed \(seed)")
        #expect(taken == ring.captured, "seed \(seed)")
        #expect(missed == ring.lost, "seed \(seed)")
        #expect(taken + missed == total, "seed \(seed)")
    }
}
