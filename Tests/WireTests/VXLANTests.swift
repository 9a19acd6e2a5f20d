import TestFrames
import Testing
import Wire

/// The header of RFC 7348 section 5, byte by byte.
@Suite("VXLAN header")
struct VXLANTests {
    func vni(_ header: [UInt8]) -> UInt32? {
        header.withUnsafeBytes { VXLAN.vni(at: $0.baseAddress!) }
    }

    func bytes(_ header: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: 8)
        bytes.withUnsafeMutableBytes { $0.baseAddress!.store64(header, 0) }
        return bytes
    }

    @Test(
        "Written",
        arguments: [
            (0, "0800 0000 0000 0000"), (1, "0800 0000 0000 0100"),
            (0x12_3456, "0800 0000 1234 5600"), (0xff_ffff, "0800 0000 ffff ff00"),
        ] as [(UInt32, String)])
    func written(_ number: UInt32, _ expected: String) {
        #expect(bytes(VXLAN.header(vni: number)) == hex(expected))
        #expect(vni(hex(expected)) == number)
    }

    @Test func withoutTheIFlagThereIsNoVNI() {
        #expect(vni(hex("0000 0000 1234 5600")) == nil)
        #expect(vni(hex("f7ff ffff 1234 56ff")) == nil)
    }

    @Test func reservedBitsAreIgnored() {
        #expect(vni(hex("ffff ffff 1234 56ff")) == 0x12_3456)
        #expect(vni(hex("0800 0001 1234 5601")) == 0x12_3456)
    }
}
