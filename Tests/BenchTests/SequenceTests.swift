import BenchSupport
import Testing

@Suite struct SequenceTests {
    private let source = ProbeFrame.End(mac: 0x0200_0a00_0001, address: 0x0a00_0001, port: 49152)
    private let destination = ProbeFrame.End(mac: 0x0200_0a00_0002, address: 0x0a00_0002, port: 9)

    private func frame(_ sequence: UInt32, run: UInt32) -> [UInt8] {
        let frames = ProbeFrame(from: source, to: destination, run: run)
        var bytes = frames.template
        bytes.withUnsafeMutableBytes { frames.number(sequence, in: $0) }
        return bytes
    }

    private func sequences(in bytes: [UInt8], run: UInt32) -> [UInt32] {
        var found: [UInt32] = []
        bytes.withUnsafeBytes { ProbeFrame.forEachSequence(in: $0, run: run) { found.append($0) } }
        return found
    }

    /// RFC 1071: the sum over data and its checksum is all ones.
    private func sumsToOnes(_ words: [UInt8]) -> Bool {
        var sum = 0
        for index in stride(from: 0, to: words.count, by: 2) {
            sum += Int(words[index]) << 8 | Int(words[index + 1])
        }
        while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
        return sum == 0xffff
    }

    @Test(arguments: [0, 1, 0xffff, 0x1_0000, 0xabcd_ef01, .max] as [UInt32])
    func aFrameHasItsNumberAndRightChecksums(sequence: UInt32) {
        let bytes = frame(sequence, run: 7)
        #expect(bytes.count == 60)
        #expect(sequences(in: bytes, run: 7) == [sequence])
        #expect(sumsToOnes(Array(bytes[14..<34])))
        #expect(sumsToOnes([0, 17, 0, 26] + bytes[26..<60]))
    }

    @Test func framesOfAnotherRunAreNotCounted() {
        #expect(sequences(in: frame(5, run: 7), run: 8) == [])
    }

    @Test func aSuperframeIsAsManyFramesAsWereMerged() {
        var merged = frame(3, run: 7) + frame(4, run: 7)[42...] + frame(5, run: 7)[42...]
        merged[17] = UInt8(merged.count - 14)
        #expect(sequences(in: merged, run: 7) == [3, 4, 5])
        #expect(sequences(in: Array(merged.dropLast()), run: 7) == [3, 4])
    }

    @Test func lossDuplicatesAndReorderingAreExact() {
        var account = SequenceAccount(capacity: 100)
        for sequence: UInt32 in [0, 1, 3, 2, 2, 63, 64, 65, 99, 100, 64] {
            account.record(sequence)
        }
        #expect(account.unique == 8)
        #expect(account.duplicates == 2)
        #expect(account.reordered == 1)
        #expect(account.outOfRange == 1)
    }
}
