import Forwarding
import Glibc
import TestFrames
import Testing
import Wire

@Suite("Segmenter")
struct SegmenterTests {
    static let builders = [FrameBuilder.ipv4, .ipv6]
    static let timestamps: [UInt8] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]

    @Test func twoSegmentsInLiteralBytes() throws {
        var superframe: [UInt8] = [
            0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00,
            0x45, 0, 0x00, 0x34, 0xff, 0xff, 0x40, 0, 0x40, 0x06, 0x27, 0xf4,
            10, 0, 0, 1, 10, 0, 0, 2,
            0x9c, 0x40, 0x14, 0x51, 0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 1,
            0x50, 0x19, 0x02, 0, 0, 0, 0, 0,
        ]
        superframe += Array("abcdefghijkl".utf8)
        let virtio = VirtioHeader(segmentation: .tcpv4, segmentSize: 8)
        let segments = try cut(superframe, virtio, vxlanHeader: VXLAN.header(vni: 0x123456))
        #expect(segments.count == 2)
        let first: [UInt8] = [
            0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0,
            0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00,
            0x45, 0, 0x00, 0x30, 0xff, 0xff, 0x40, 0, 0x40, 0x06, 0x26, 0xc6,
            10, 0, 0, 1, 10, 0, 0, 2,
            0x9c, 0x40, 0x14, 0x51, 0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 1,
            0x50, 0x10, 0x02, 0, 0x57, 0xa5, 0, 0,
        ]
        let second: [UInt8] = [
            0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0,
            0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00,
            0x45, 0, 0x00, 0x2c, 0x00, 0x00, 0x40, 0, 0x40, 0x06, 0x26, 0xca,
            10, 0, 0, 1, 10, 0, 0, 2,
            0x9c, 0x40, 0x14, 0x51, 0x00, 0x00, 0x00, 0x04, 0, 0, 0, 1,
            0x50, 0x19, 0x02, 0, 0x14, 0x58, 0, 0,
        ]
        #expect(segments[0] == first + Array("abcdefgh".utf8))
        #expect(segments[1] == second + Array("ijkl".utf8))
    }

    @Test(arguments: builders, [0, 1, 1447, 1448, 1449, 2896, 65480 - 32])
    func tcpSegmentsAreWhatASenderWithoutOffloadsBuilds(_ base: FrameBuilder, count: Int) throws {
        var builder = base
        builder.identification = 0xfffe
        builder.tos = 0x02
        builder.tags = [0x6064, 7]
        let payload = payloadBytes(count)
        let superframe = builder.tcp(
            sequence: 0xffff_f000, flags: 0xd9, options: Self.timestamps, payload: payload,
            checksum: .partial)
        var virtio = builder.virtio(size: 1448)
        if count % 2 == 0 {
            virtio.segmentation = .init(rawValue: virtio.segmentation.rawValue | 0x80)
        }
        let expected = naiveTCP(
            builder, payload, size: 1448, sequence: 0xffff_f000, flags: 0xd9,
            options: Self.timestamps)
        #expect(try cut(superframe, virtio) == expected)
    }

    @Test(arguments: builders, [1, 1471, 1472, 1473, 60 * 1000 + 1])
    func udpDatagramsAreWhatASenderWithoutOffloadsBuilds(_ base: FrameBuilder, count: Int) throws {
        var builder = base
        builder.identification = 99
        builder.dontFragment = false
        let payload = payloadBytes(count)
        let superframe = builder.udp(payload: payload, checksum: .partial)
        let segments = try cut(superframe, builder.virtio(size: 1472, udp: true))
        #expect(segments == naiveUDP(builder, payload, size: 1472))
    }

    @Test func aUDPChecksumOfZeroIsSentAsAllOnes() throws {
        let builder = FrameBuilder.ipv4
        let right = builder.udp(payload: [0, 0])
        let superframe = builder.udp(payload: Array(right[40..<42]), checksum: .partial)
        let segments = try cut(superframe, builder.virtio(size: 2, udp: true))
        #expect(segments.map { Array($0[40..<42]) } == [[0xff, 0xff]])
    }

    @Test(arguments: builders)
    func options(_ base: FrameBuilder) throws {
        var builder = base
        if !builder.isIPv6 { builder.ipv4Options = [UInt8](repeating: 1, count: 40) }
        builder.tags = [1, 2]
        let options = [UInt8](repeating: 1, count: 40)
        let payload = payloadBytes(5000)
        let superframe = builder.tcp(options: options, payload: payload, checksum: .partial)
        let expected = naiveTCP(
            builder, payload, size: 536, sequence: 1, flags: 0x10, options: options)
        #expect(try cut(superframe, builder.virtio(size: 536)) == expected)
    }

    @Test func anIPv6ExtensionHeaderIsCopiedAndARoutingHeaderRefused() throws {
        let builder = FrameBuilder.ipv6
        let payload = payloadBytes(3000)
        for (kind, isCut) in [(UInt8(60), true), (43, false)] {
            // The superframe with eight bytes of extension header put in.
            func extended(_ frame: [UInt8]) -> [UInt8] {
                var frame = frame
                frame[20] = kind
                let length = (Int(frame[18]) << 8 | Int(frame[19])) + 8
                frame.replaceSubrange(18..<20, with: be16(UInt16(length)))
                frame.insert(contentsOf: [6, 0, 1, 4, 0, 0, 0, 0], at: 54)
                return frame
            }
            let superframe = extended(builder.tcp(payload: payload, checksum: .partial))
            var virtio = builder.virtio(size: 1000)
            virtio.checksumStart += 8
            if isCut {
                let plain = naiveTCP(builder, payload, size: 1000, sequence: 1, flags: 0x10)
                #expect(try cut(superframe, virtio) == plain.map(extended))
            } else {
                #expect(throws: SegmentRefusal.routingHeader) { try cut(superframe, virtio) }
            }
        }
    }

    @Test func bytesBehindThePacketAreNotSent() throws {
        let builder = FrameBuilder.ipv4
        let superframe = builder.tcp(payload: payloadBytes(20), checksum: .partial)
        let segments = try cut(superframe + [1, 2, 3], builder.virtio(size: 10))
        let expected = naiveTCP(builder, payloadBytes(20), size: 10, sequence: 1, flags: 0x10)
        #expect(segments == expected)
    }

    @Test func trainsAreBoundByMessagesAndBytes() throws {
        let builder = FrameBuilder.ipv4
        func perTrain(_ size: Int, limit: Int) throws -> Int {
            let frame = builder.tcp(payload: payloadBytes(100), checksum: .partial)
            return try frame.withUnsafeBytes {
                let layout = FrameLayout.parse($0.baseAddress!, length: $0.count)!
                return try SegmentPlan.make($0.baseAddress!, layout, builder.virtio(size: size))
                    .segmentsPerTrain(limit: limit)
            }
        }
        #expect(try perTrain(100, limit: 65507) == 64)
        // 65507 / (8 + 54 + 1460) is 43.04, 65527 / (8 + 54 + 8911) is 7.3.
        #expect(try perTrain(1460, limit: 65507) == 43)
        #expect(try perTrain(8911, limit: 65527) == 7)
        #expect(try perTrain(65000, limit: 1000) == 1)
    }

    @Test func rangesAreCutAnywhereAndClamped() throws {
        let builder = FrameBuilder.ipv6
        let payload = payloadBytes(10_000)
        let frame = builder.tcp(flags: 0x18, payload: payload, checksum: .partial)
        let expected = naiveTCP(builder, payload, size: 999, sequence: 1, flags: 0x18)
        for train in [1, 2, 3, 11, 64] {
            #expect(try cut(frame, builder.virtio(size: 999), train: train) == expected)
        }
        try frame.withUnsafeBytes {
            let layout = FrameLayout.parse($0.baseAddress!, length: $0.count)!
            let plan = try SegmentPlan.make($0.baseAddress!, layout, builder.virtio(size: 999))
            #expect(plan.count == 11 && plan.longestFrame == 74 + 999)
            #expect(emit(plan, 9..<13, nil) == Array(expected[9...]))
            #expect(emit(plan, 11..<13, nil).isEmpty)
        }
    }
}

@Suite("Segmenter: refusals")
struct SegmentRefusalTests {
    func refusal(_ frame: [UInt8], _ virtio: VirtioHeader) -> SegmentRefusal? {
        do {
            _ = try cut(frame, virtio)
            return nil
        } catch { return error }
    }

    let builder = FrameBuilder.ipv4

    @Test func types() {
        let frame = builder.tcp(payload: payloadBytes(100), checksum: .partial)
        for type in UInt8.min...UInt8.max {
            let virtio = builder.virtio(.init(rawValue: type), size: 50)
            let expected: SegmentRefusal? =
                switch type {
                case 1, 0x81: nil
                case 4, 0x84, 5: .protocolMismatch
                default: .unknownType
                }
            #expect(refusal(frame, virtio) == expected)
        }
        let udp = builder.udp(payload: payloadBytes(100))
        #expect(refusal(udp, builder.virtio(size: 50)) == .protocolMismatch)
        let arp = builder.arp(
            operation: 1, senderMAC: .zero, senderIP: .any, targetMAC: .zero, targetIP: .any)
        #expect(refusal(arp, builder.virtio(size: 50)) == .protocolMismatch)
    }

    @Test func fragments() {
        let body = payloadBytes(100)
        for fragment in [UInt16(0x2000), 0x2001, 0x0001] {
            let frame = builder.ip(proto: 6, body, fragment: fragment)
            #expect(refusal(frame, builder.virtio(size: 50)) == .fragment)
        }
    }

    @Test func dataOffset() {
        var frame = builder.tcp(payload: payloadBytes(30), checksum: .partial)
        for words in 0..<16 {
            frame[46] = UInt8(words << 4)
            let isInside = words >= 5 && words * 4 <= 20 + 30
            let expected: SegmentRefusal? = isInside ? nil : .headerLength
            #expect(refusal(frame, builder.virtio(size: 50)) == expected)
        }
    }

    @Test func checksumPlace() {
        let frame = builder.tcp(payload: payloadBytes(30), checksum: .partial)
        var virtio = builder.virtio(size: 50)
        virtio.checksumStart += 1
        #expect(refusal(frame, virtio) == .checksumOffset)
        virtio = builder.virtio(size: 50)
        virtio.checksumOffset = 6
        #expect(refusal(frame, virtio) == .checksumOffset)
        virtio.flags = 0
        #expect(refusal(frame, virtio) == nil)
    }

    @Test func sizes() {
        let frame = builder.tcp(payload: payloadBytes(30), checksum: .partial)
        for size in 0..<8 { #expect(refusal(frame, builder.virtio(size: size)) == .segmentSize) }
        #expect(refusal(frame, builder.virtio(size: 8)) == nil)
        #expect(refusal(frame, builder.virtio(size: 65535)) == nil)
        // Total length 0: the packet ends where the frame does, and one segment would not fit.
        var long = builder.tcp(payload: payloadBytes(65500), checksum: .partial)
        long.replaceSubrange(16..<18, with: [0, 0])
        #expect(refusal(long, builder.virtio(size: 65496)) == .segmentSize)
        #expect(refusal(long, builder.virtio(size: 65495)) == nil)
        let udp = builder.udp(payload: payloadBytes(129), checksum: .partial)
        #expect(refusal(udp, builder.virtio(size: 0, udp: true)) == .segmentSize)
        #expect(refusal(udp, builder.virtio(size: 1, udp: true)) == .tooManySegments)
        #expect(refusal(udp, builder.virtio(size: 2, udp: true)) == nil)
    }

    @Test(arguments: [UInt64(21), 22])
    func hostileBytesAndHeadersNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var cutCount = 0
        for _ in 0..<50_000 {
            let builder = generator.oneIn(2) ? FrameBuilder.ipv4 : .ipv6
            let payload = generator.bytes(generator.below(120))
            var frame =
                generator.oneIn(2)
                ? builder.tcp(payload: payload, checksum: .partial) : builder.udp(payload: payload)
            for _ in 0..<generator.below(4) {
                frame[generator.below(frame.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            if generator.oneIn(3) { frame.removeLast(generator.below(frame.count)) }
            let types: [UInt8] = [1, 4, 5, 0x81, 0x84, UInt8(truncatingIfNeeded: generator.next())]
            let virtio = VirtioHeader(
                flags: UInt8(generator.below(2)),
                segmentation: .init(rawValue: types[generator.below(6)]),
                segmentSize: UInt16(generator.below(70)), checksumStart: 34, checksumOffset: 16)
            guard let segments = try? cut(frame, virtio, vxlanHeader: 0) else { continue }
            cutCount += 1
            for segment in segments { #expect(segment.count > 8 + 14) }
        }
        #expect(cutCount > 5000)
    }
}
