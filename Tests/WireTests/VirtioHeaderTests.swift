import TestFrames
import Testing
import Wire

/// virtio 1.2 section 5.1.6: little-endian, ten bytes that count.
@Suite("Virtio header")
struct VirtioHeaderTests {
    func read(_ bytes: [UInt8]) -> VirtioHeader {
        bytes.withUnsafeBytes { VirtioHeader(at: $0.baseAddress!) }
    }

    func written(_ header: VirtioHeader) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: 12)
        bytes.withUnsafeMutableBytes { header.store(at: $0.baseAddress!) }
        return bytes
    }

    static let superframe = hex("01 01 3600 a805 2200 1000")

    @Test func fields() {
        let header = read(Self.superframe)
        #expect(header.needsChecksum)
        #expect(header.isSuperframe)
        #expect(header.segmentation == .tcpv4)
        #expect(header.headerLength == 54)
        #expect(header.segmentSize == 1448)
        #expect(header.checksumStart == 34)
        #expect(header.checksumOffset == 16)
    }

    @Test func writesTenBytesAndNoMore() {
        #expect(written(read(Self.superframe)) == Self.superframe + hex("eeee"))
    }

    @Test func emptyHeaderAsksForNothing() {
        #expect(written(VirtioHeader()) == hex("0000 0000 0000 0000 0000 eeee"))
        #expect(!VirtioHeader().isSuperframe)
        #expect(!VirtioHeader().needsChecksum)
    }

    @Test(
        "Segmentation",
        arguments: [
            (0x00, false), (0x80, false), (0x01, true), (0x81, true), (0x04, true), (0x84, true),
            (0x05, true), (0x7f, true),
        ] as [(UInt8, Bool)])
    func segmentation(_ type: UInt8, _ isSuperframe: Bool) {
        let header = read([0, type, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(header.isSuperframe == isSuperframe)
        #expect(header.segmentation.rawValue == type)
    }

    @Test func dataValidIsNotNeedsChecksum() {
        #expect(!read([2, 0, 0, 0, 0, 0, 0, 0, 0, 0]).needsChecksum)
        #expect(read([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]).needsChecksum)
    }
}
