import Forwarding
import TestFrames
import Testing
import Wire

/// RFC 6040, normal mode, both tables whole. Marks: 0 not capable, 1 ECT(1), 2 ECT(0), 3 CE.
@Suite("ECN across the tunnel")
struct ECNTests {
    /// Section 4.2: the row is the inner mark, the column the outer one; nil is a drop.
    static let decapsulation: [[UInt8?]] = [
        // outer: 0  1  2  3
        [0, 0, 0, nil],
        [1, 1, 1, 3],
        [2, 1, 2, 3],
        [3, 3, 3, 3],
    ]

    static let cells = (0..<4).flatMap { inner in (0..<4).map { (UInt8(inner), UInt8($0)) } }

    func builder(_ base: FrameBuilder, mark: UInt8, tags: [UInt16] = []) -> FrameBuilder {
        var builder = base
        builder.tos = 0xb8 | mark
        builder.flowLabel = 0xfffff
        builder.tags = tags
        return builder
    }

    func host() -> TestHost {
        TestHost { $0.networks[0]?.passesVLAN = true }
    }

    @Test("Decapsulation", arguments: [FrameBuilder.ipv4, .ipv6], cells)
    func decapsulate(_ base: FrameBuilder, _ marks: (inner: UInt8, outer: UInt8)) {
        for tags in [[], [5], [5, 6]] as [[UInt16]] {
            let host = host()
            let frame = builder(base, mark: marks.inner, tags: tags).udp(payload: payloadBytes(9))
            // The outer code point is not copied (uniform model is not what we do).
            let verdict = host.ingress(frame, tos: 0x28 | marks.outer)
            guard let expected = Self.decapsulation[Int(marks.inner)][Int(marks.outer)] else {
                #expect(verdict == .drop(.congestionMarked))
                #expect(host.location(base.sourceMAC) == nil)
                continue
            }
            #expect(verdict == .flood)
            // The builder computes the IPv4 header checksum anew, the slow way.
            let wanted = builder(base, mark: expected, tags: tags).udp(payload: payloadBytes(9))
            #expect(host.bytes(frame.count) == wanted)
        }
    }

    /// Every IPv4 identification changes the checksum: all carries occur.
    @Test func checksumUpdateIsRightForEverySum() {
        let host = host()
        var builder = builder(.ipv4, mark: 2)
        for identification in stride(from: 0, through: 0xffff, by: 7) {
            builder.identification = UInt16(identification)
            builder.tos = 2
            let frame = builder.udp()
            _ = host.ingress(frame, tos: 3)
            builder.tos = 3
            if host.bytes(frame.count) != builder.udp() {
                Issue.record("identification \(identification)")
            }
        }
    }

    @Test("Encapsulation copies the mark (section 4.1)", arguments: 0..<4 as Range<UInt8>)
    func encapsulate(_ mark: UInt8) {
        for base in [FrameBuilder.ipv4, .ipv6] {
            let frame = builder(base, mark: mark).udp()
            let outer = frame.withUnsafeBytes {
                ECN.encapsulate(
                    $0.baseAddress!, FrameLayout.parse($0.baseAddress!, length: $0.count)!)
            }
            #expect(outer == mark)
        }
    }

    @Test func whatIsNotIPHasNoMarkAndIsNotDropped() {
        let frame = FrameBuilder.ipv4.ethernet(type: 0x88b5, [UInt8](repeating: 0xff, count: 46))
        let outer = frame.withUnsafeBytes {
            ECN.encapsulate(
                $0.baseAddress!, FrameLayout.parse($0.baseAddress!, length: $0.count)!)
        }
        #expect(outer == 0)
        let host = TestHost()
        #expect(host.ingress(frame, tos: 3) == .flood)
        #expect(host.bytes(frame.count) == frame)
    }
}
