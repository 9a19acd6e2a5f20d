import TestFrames
import Testing
import Wire

@Suite("Checksum")
struct ChecksumTests {
    /// RFC 1071 section 3: 0001 f203 f4f5 f6f7 sums up to ddf2.
    @Test func theExampleOfRFC1071() {
        let bytes: [UInt8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]
        #expect(Checksum.fold(bytes.withUnsafeBytes { Checksum.sum($0.baseAddress!, 8) }) == 0xddf2)
    }

    @Test func agreesWithTheNaiveSumAtEveryLengthAndAlignment() {
        let bytes = payloadBytes(700)
        for length in 0...600 {
            for start in 0..<4 {
                let expected = naiveSum(Array(bytes[start..<start + length]))
                let sum = bytes.withUnsafeBytes {
                    Checksum.fold(Checksum.sum($0.baseAddress! + start, length))
                }
                #expect(sum == expected, "length \(length), start \(start)")
            }
        }
    }

    @Test func chainsAtEvenOffsets() {
        let bytes = payloadBytes(1449)
        let whole = bytes.withUnsafeBytes { Checksum.sum($0.baseAddress!, 1449) }
        for cut in stride(from: 0, through: 1448, by: 34) {
            let chained = bytes.withUnsafeBytes {
                Checksum.sum(
                    $0.baseAddress! + cut, 1449 - cut, Checksum.sum($0.baseAddress!, cut))
            }
            #expect(Checksum.fold(chained) == Checksum.fold(whole))
        }
    }

    @Test func allOnesOverTheLargestPacketLoseNoCarry() {
        let bytes = [UInt8](repeating: 0xff, count: 1 << 16)
        let sum = bytes.withUnsafeBytes { Checksum.sum($0.baseAddress!, 1 << 16) }
        #expect(sum == UInt64(0xffff_ffff) << 14)
        #expect(Checksum.fold(sum) == 0xffff)
    }

    @Test func foldKeepsTheCarryOfEveryWidth() {
        #expect(Checksum.fold(0) == 0)
        #expect(Checksum.fold(.max) == 0xffff)
        #expect(Checksum.fold(Checksum.word(UInt16(0x1234))) == 0x1234)
        #expect(Checksum.fold(Checksum.word(UInt32(0x1234_4321))) == 0x5555)
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<1000 {
            let sum = generator.next()
            let expected = withUnsafeBytes(of: sum) { naiveSum(Array($0)) }
            #expect(Checksum.fold(sum) % 0xffff == expected % 0xffff)
        }
    }

    @Test func updateEqualsSummingAgain() {
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<1000 {
            var header = generator.bytes(20)
            let before = ~naiveSum(header)
            let old = UInt16(header[4]) << 8 | UInt16(header[5])
            let new = UInt16(truncatingIfNeeded: generator.next())
            header.replaceSubrange(4..<6, with: be16(new))
            #expect(Checksum.update(before, from: old, to: new) == ~naiveSum(header))
        }
    }

    @Test func ipv4HeaderWithAndWithoutOptions() {
        for options in [[], [UInt8](repeating: 1, count: 40)] {
            var builder = FrameBuilder.ipv4
            builder.ipv4Options = options
            let frame = builder.udp(payload: [1, 2, 3])
            let length = 20 + options.count
            frame.withUnsafeBytes {
                let packet = $0.baseAddress! + 14
                #expect(Checksum.ipv4Header(packet, headerLength: length) == packet.load16(10))
                #expect(Checksum.ipv4HeaderIsValid(packet, headerLength: length))
            }
        }
    }
}

@Suite("Transport checksum of a frame")
struct TransportChecksumTests {
    static let builders = [FrameBuilder.ipv4, .ipv6]

    func verify(_ frame: [UInt8]) -> Checksum.Verdict {
        frame.withUnsafeBytes {
            let layout = FrameLayout.parse($0.baseAddress!, length: $0.count)!
            let verdict = Checksum.verifyTransport($0.baseAddress!, layout)
            #expect(Checksum.transportIsValid($0.baseAddress!, layout) == (verdict == .valid))
            return verdict
        }
    }

    @Test(arguments: builders) func rightAndWrong(_ builder: FrameBuilder) {
        for count in [0, 1, 2, 3, 63, 64, 65, 1448] {
            let payload = payloadBytes(count)
            #expect(verify(builder.tcp(payload: payload)) == .valid)
            #expect(verify(builder.tcp(payload: payload, checksum: .wrong)) == .wrong)
            #expect(verify(builder.udp(payload: payload)) == .valid)
            #expect(verify(builder.udp(payload: payload, checksum: .wrong)) == .wrong)
        }
    }

    @Test func anyFlippedBitIsFound() {
        let frame = FrameBuilder.ipv4.tcp(payload: payloadBytes(50))
        for bit in (34 * 8)..<(frame.count * 8) where !(46 * 8..<47 * 8).contains(bit) {
            var broken = frame
            broken[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(verify(broken) == .wrong)
        }
    }

    @Test func udpWithoutChecksum() {
        #expect(verify(FrameBuilder.ipv4.udp(payload: [1], checksum: .absent)) == .absent)
        #expect(verify(FrameBuilder.ipv6.udp(payload: [1], checksum: .absent)) == .wrong)
    }

    @Test func udpLengthIsBelievedOnlyWithinThePacket() {
        var frame = FrameBuilder.ipv4.udp(payload: payloadBytes(20))
        frame[39] = 29
        #expect(verify(frame) == .wrong)
        frame[39] = 7
        #expect(verify(frame) == .wrong)
    }

    @Test func paddingIsNotSummed() {
        #expect(verify(FrameBuilder.ipv4.udp(payload: [9]) + [7, 7, 7]) == .valid)
    }

    @Test func whatCarriesNoneOfThem() {
        #expect(verify(FrameBuilder.ipv4.icmpEcho()) == .unknown)
        #expect(verify(FrameBuilder.ipv4.ethernet(type: 0x88b5, [1, 2, 3])) == .unknown)
        let fragment = FrameBuilder.ipv4.ip(proto: 6, payloadBytes(40), fragment: 0x2000)
        #expect(verify(fragment) == .unknown)
    }

    @Test func neighborDiscovery() {
        var builder = FrameBuilder.ipv6
        builder.ttl = 255
        let target = IPv6Address(high: 0xfd00 << 48, low: 9)
        let solicitation = builder.neighborSolicitation(
            target: target, sourceLinkLayer: builder.sourceMAC)
        #expect(verify(solicitation) == .valid)
        #expect(verify(builder.neighborAdvertisement(target: target)) == .valid)
        #expect(verify(builder.icmpv6(type: 128, body: [0, 1, 0, 1], checksum: .wrong)) == .wrong)
    }
}

@Suite("Completing a checksum")
struct CompleteChecksumTests {
    /// The frame after completing, nil if it was refused (and then it must not have changed).
    func complete(_ frame: [UInt8], start: Int, offset: Int) -> [UInt8]? {
        var copy = frame
        let virtio = VirtioHeader(
            flags: VirtioHeader.needsChecksum, checksumStart: UInt16(start),
            checksumOffset: UInt16(offset))
        let isDone = copy.withUnsafeMutableBytes {
            let layout = FrameLayout.parse($0.baseAddress!, length: $0.count)!
            return Checksum.complete($0.baseAddress!, $0.count, layout, virtio)
        }
        if !isDone { #expect(copy == frame) }
        return isDone ? copy : nil
    }

    @Test(arguments: [FrameBuilder.ipv4, .ipv6]) func givesTheRightFrame(_ builder: FrameBuilder) {
        let start = builder.isIPv6 ? 54 : 34
        for count in [0, 1, 77, 1448, 9001] {
            let payload = payloadBytes(count)
            let tcp = builder.tcp(payload: payload, checksum: .partial)
            #expect(complete(tcp, start: start, offset: 16) == builder.tcp(payload: payload))
            let udp = builder.udp(payload: payload, checksum: .partial)
            #expect(complete(udp, start: start, offset: 6) == builder.udp(payload: payload))
        }
    }

    @Test func aSumOfZeroIsSentAsAllOnes() {
        let builder = FrameBuilder.ipv4
        // The payload that makes the sum all ones: two bytes that are the right checksum.
        let right = builder.udp(payload: [0, 0])
        let frame = builder.udp(payload: Array(right[40..<42]), checksum: .partial)
        let done = complete(frame, start: 34, offset: 6)
        #expect(done.map { Array($0[40..<42]) } == [0xff, 0xff])
    }

    @Test func offsetsOutsideAreRefused() {
        let frame = FrameBuilder.ipv4.tcp(payload: [1, 2, 3], checksum: .partial)
        #expect(complete(frame, start: frame.count, offset: 0) == nil)
        #expect(complete(frame, start: 34, offset: frame.count - 35) == nil)
        #expect(complete(frame, start: 34, offset: frame.count - 36) != nil)
        #expect(complete(frame, start: 0xffff, offset: 0xffff) == nil)
    }

    @Test func noHeaderThatWasCheckedCanBeRewritten() {
        let tcp = FrameBuilder.ipv4.tcp(checksum: .partial)
        for start in 0..<34 { #expect(complete(tcp, start: start, offset: 16) == nil) }
        var arpBuilder = FrameBuilder.ipv4
        arpBuilder.tags = [5]
        let arp = arpBuilder.arp(
            operation: 2, senderMAC: .zero, senderIP: .any, targetMAC: .zero, targetIP: .any)
        for start in 0..<(18 + 28) {
            #expect(complete(arp + [0, 0], start: start, offset: 0) == nil)
        }
    }

    @Test func hostileBytesAndOffsetsNeverTrap() {
        var generator = SeededGenerator(seed: 13)
        for _ in 0..<100_000 {
            var bytes = generator.bytes(14 + generator.below(120))
            if generator.oneIn(2) {
                let type: [UInt8] = generator.oneIn(2) ? [0x08, 0x00, 0x45] : [0x86, 0xdd, 0x60]
                bytes.replaceSubrange(12..<min(15, bytes.count), with: type)
            }
            let virtio = VirtioHeader(
                flags: 1, checksumStart: UInt16(generator.below(200)),
                checksumOffset: UInt16(generator.below(200)))
            bytes.withUnsafeMutableBytes {
                let frame = $0.baseAddress!
                let layout = FrameLayout.parse(frame, length: $0.count)!
                _ = Checksum.verifyTransport(frame, layout)
                _ = Checksum.complete(frame, $0.count, layout, virtio)
                _ = FlowHash.of(frame, layout)
            }
        }
    }
}
