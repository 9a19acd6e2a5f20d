import Forwarding
import TestFrames
import Testing
import Wire

@Suite("Coalescer")
struct CoalescerTests {
    static let builders = [FrameBuilder.ipv4, .ipv6]
    static let timestamps: [UInt8] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]

    @Test(arguments: builders)
    func tcpSegmentsBecomeTheSuperframeTheyWereCutFrom(_ base: FrameBuilder) {
        var builder = base
        builder.tags = [0x2005]
        builder.identification = 0xfffe
        builder.tos = 3
        let payload = payloadBytes(5000)
        let frames = naiveTCP(
            builder, payload, size: 1448, sequence: 0xffff_f000, flags: 0x18,
            options: Self.timestamps)
        let start = UInt16(builder.isIPv6 ? 58 : 38)
        let expected = Delivery(
            item: Coalescer.Item(
                port: 1,
                virtio: VirtioHeader(
                    flags: VirtioHeader.needsChecksum,
                    segmentation: builder.isIPv6 ? .tcpv6 : .tcpv4, headerLength: start + 32,
                    segmentSize: 1448, checksumStart: start, checksumOffset: 16),
                frames: 4, bytes: Int(start) + 32 + 5000),
            bytes: builder.tcp(
                sequence: 0xffff_f000, flags: 0x18, options: Self.timestamps, payload: payload,
                checksum: .partial))
        #expect(coalesce(frames) == [expected])
    }

    @Test(arguments: builders)
    func datagramsBecomeTheSuperframeTheyWereCutFrom(_ builder: FrameBuilder) {
        let payload = payloadBytes(4000)
        let frames = naiveUDP(builder, payload, size: 1200)
        let start = UInt16(builder.isIPv6 ? 54 : 34)
        let expected = Delivery(
            item: Coalescer.Item(
                port: 1,
                virtio: VirtioHeader(
                    flags: VirtioHeader.needsChecksum, segmentation: .udp,
                    headerLength: start + 8, segmentSize: 1200, checksumStart: start,
                    checksumOffset: 6),
                frames: 4, bytes: Int(start) + 8 + 4000),
            bytes: builder.udp(payload: payload, checksum: .partial))
        #expect(coalesce(frames) == [expected])
        var coalescer = Coalescer(capacity: 16)
        let arrivals = frames.map { Arrival(bytes: $0, takesUDPSuperframes: false) }
        #expect(coalesce(arrivals, with: &coalescer).map(\.bytes) == frames)
    }

    @Test func itemsComeInTheOrderOfTheirFirstFrames() {
        let a = FrameBuilder.ipv4
        var b = a
        b.sourcePort += 1
        let ping = a.icmpEcho()
        func segment(_ builder: FrameBuilder, _ index: Int) -> [UInt8] {
            var builder = builder
            builder.identification = UInt16(index)
            return builder.tcp(
                sequence: UInt32(index * 100), payload: payloadBytes(100, seed: UInt64(index)))
        }
        let deliveries = coalesce([
            segment(a, 0), segment(b, 0), segment(a, 1), segment(a, 2), ping, segment(b, 1),
            segment(a, 3),
        ])
        #expect(deliveries.map(\.item.frames) == [4, 2, 1])
        #expect(deliveries.last?.bytes == ping)
    }

    @Test func whatEndsASuperframe() {
        let sizes = { (frames: [[UInt8]]) in coalesce(frames).map(\.item.frames) }
        func stream(_ payloads: [Int], push: Int = -1) -> [[UInt8]] {
            var sequence: UInt32 = 1
            return payloads.enumerated().map { index, count in
                var builder = FrameBuilder.ipv4
                builder.identification = UInt16(index)
                defer { sequence += UInt32(count) }
                return builder.tcp(
                    sequence: sequence, flags: index == push ? 0x18 : 0x10,
                    payload: payloadBytes(count))
            }
        }
        #expect(sizes(stream([100, 100, 100, 100])) == [4])
        #expect(sizes(stream([100, 100, 99, 100, 100])) == [3, 2])
        #expect(sizes(stream([100, 100, 101, 101])) == [2, 2])
        #expect(sizes(stream([100, 100, 100, 100], push: 1)) == [2, 2])
        #expect(sizes(stream([100, 100, 100], push: 0)) == [1, 2])
        #expect(sizes(stream([100, 0, 100, 100])) == [1, 1, 2])
        #expect(sizes(stream([7, 7])) == [1, 1])
        #expect(sizes(stream([8, 8])) == [2])
        #expect(sizes(stream([Int](repeating: 8, count: 130))) == [128, 2])
        // 20 + 20 + 45 * 1455 + 20 is 65535.
        let full = [Int](repeating: 1455, count: 45)
        #expect(sizes(stream(full + [20])) == [46])
        #expect(sizes(stream(full + [21])) == [45, 1])
        let datagrams = naiveUDP(.ipv4, payloadBytes(6500), size: 100)
        #expect(sizes(datagrams) == [64, 1])
    }

    @Test func aLaterPayloadWithPaddingMergesWithoutIt() {
        var second = FrameBuilder.ipv4
        second.identification = 1
        let deliveries = coalesce([
            FrameBuilder.ipv4.tcp(payload: payloadBytes(8)) + [1, 2],
            second.tcp(sequence: 9, payload: [9, 9]) + [3, 4, 5, 6],
        ])
        #expect(deliveries.count == 1)
        let expected = FrameBuilder.ipv4.tcp(payload: payloadBytes(8) + [9, 9], checksum: .partial)
        #expect(deliveries.first?.bytes == expected)
    }

    @Test func capacityAndReset() {
        var coalescer = Coalescer(capacity: 3)
        let frames = naiveTCP(.ipv4, payloadBytes(1000), size: 100, sequence: 1, flags: 0x10)
        let arrivals = frames.map { Arrival(bytes: $0) }
        #expect(coalesce(arrivals, with: &coalescer).map(\.item.frames) == [3, 3, 3, 1])
        #expect(coalescer.itemCount == 0)
        #expect(coalesce(arrivals, with: &coalescer).map(\.item.frames) == [3, 3, 3, 1])
    }

    // MARK: Frames that must not merge

    /// Ways to make the second frame of a stream one that does not continue the first.
    enum Change: CaseIterable {
        case ttl, tos, ce, dontFragment, identification, flowLabel, acknowledgment, window
        case options, optionBytes, sequence, ece, cwr, fin, syn, rst, urg, noAck, reserved, urgent
        case sourceMAC, destinationMAC, tag, source, destination, sourcePort, destinationPort, port
        case checksum, ipv4Checksum, ipv4Options, fragment, totalLength

        static let ipv4Only: Set<Change> = [
            .dontFragment, .identification, .ipv4Checksum, .ipv4Options, .fragment, .totalLength,
        ]
    }

    func pair(_ base: FrameBuilder, _ change: Change?) -> [Arrival] {
        var builder = base
        builder.tags = [3]
        let first = builder.tcp(options: Self.timestamps, payload: payloadBytes(100))
        builder.identification = 1
        var options = Self.timestamps
        var flags: UInt8 = 0x10
        var (sequence, acknowledgment, window) = (UInt32(101), UInt32(1), UInt16(512))
        var port: UInt32 = 1
        switch change {
        case .ttl: builder.ttl -= 1
        case .tos: builder.tos = 0x10
        case .ce: builder.tos = 3
        case .dontFragment: builder.dontFragment.toggle()
        case .identification: builder.identification = 2
        case .flowLabel: builder.flowLabel = builder.isIPv6 ? 1 : 0
        case .acknowledgment: acknowledgment += 1
        case .window: window += 1
        case .options: options = []
        case .optionBytes: options[11] += 1
        case .sequence: sequence -= 1
        case .ece: flags |= 0x40
        case .cwr: flags |= 0x80
        case .fin: flags |= 0x01
        case .syn: flags |= 0x02
        case .rst: flags |= 0x04
        case .urg: flags |= 0x20
        case .noAck: flags = 0
        case .sourceMAC: builder.sourceMAC = MACAddress(bits: 0x0200_0000_0003)
        case .destinationMAC: builder.destinationMAC = MACAddress(bits: 0x0200_0000_0003)
        case .tag: builder.tags = [4]
        case .source: builder.source = builder.destination
        case .destination: builder.destination = builder.source
        case .sourcePort: builder.sourcePort += 1
        case .destinationPort: builder.destinationPort += 1
        case .port: port = 2
        case .ipv4Options: builder.ipv4Options = [1, 1, 1, 1]
        default: break
        }
        var second = builder.tcp(
            sequence: sequence, acknowledgment: acknowledgment, flags: flags, window: window,
            options: options, payload: payloadBytes(100, seed: 2),
            checksum: change == .checksum ? .wrong : .right)
        let tcp = builder.isIPv6 ? 58 : 38
        switch change {
        case .reserved: change16(&second, at: tcp + 12, checksum: tcp + 16) { $0 | 0x0100 }
        case .urgent: change16(&second, at: tcp + 18, checksum: tcp + 16) { _ in 7 }
        case .ipv4Checksum: second[28] ^= 1
        case .fragment: change16(&second, at: 24, checksum: 28) { $0 | 0x2000 }
        case .totalLength: change16(&second, at: 20, checksum: 28) { _ in 0 }
        default: break
        }
        return [Arrival(bytes: first), Arrival(bytes: second, port: port)]
    }

    /// Changes a word and corrects the checksum that covers it.
    func change16(
        _ frame: inout [UInt8], at offset: Int, checksum: Int, _ change: (UInt16) -> UInt16
    ) {
        let old = UInt16(frame[offset]) << 8 | UInt16(frame[offset + 1])
        let sum = UInt16(frame[checksum]) << 8 | UInt16(frame[checksum + 1])
        let new = change(old)
        let corrected = Checksum.update(sum, from: old, to: new)
        frame.replaceSubrange(offset..<offset + 2, with: be16(new))
        frame.replaceSubrange(checksum..<checksum + 2, with: be16(corrected))
    }

    @Test(arguments: builders)
    func differencesThatKeepFramesApart(_ base: FrameBuilder) {
        var coalescer = Coalescer(capacity: 16)
        #expect(coalesce(pair(base, nil), with: &coalescer).map(\.item.frames) == [2])
        for change in Change.allCases where !(base.isIPv6 && Change.ipv4Only.contains(change)) {
            if change == .flowLabel && !base.isIPv6 { continue }
            let arrivals = pair(base, change)
            let deliveries = coalesce(arrivals, with: &coalescer)
            #expect(deliveries.map(\.bytes) == arrivals.map(\.bytes), "\(change)")
            #expect(deliveries.allSatisfy { $0.item.virtio == VirtioHeader() }, "\(change)")
        }
    }

    @Test func identificationsAreFixedOrCountUp() {
        func frames(_ identifications: [UInt16], dontFragment: Bool) -> [Int] {
            let frames = identifications.enumerated().map { index, identification in
                var builder = FrameBuilder.ipv4
                builder.identification = identification
                builder.dontFragment = dontFragment
                return builder.tcp(
                    sequence: UInt32(1 + 100 * index), payload: payloadBytes(100))
            }
            return coalesce(frames).map(\.item.frames)
        }
        #expect(frames([5, 5, 5], dontFragment: true) == [3])
        #expect(frames([5, 5, 5], dontFragment: false) == [1, 1, 1])
        #expect(frames([65535, 0, 1], dontFragment: false) == [3])
        #expect(frames([5, 5, 6, 7], dontFragment: true) == [2, 2])
        #expect(frames([5, 6, 6], dontFragment: true) == [2, 1])
    }

    @Test func aCorruptFrameIsPassedOnAndClosesNothing() {
        var frames = naiveTCP(.ipv4, payloadBytes(500), size: 100, sequence: 1, flags: 0x10)
        var corrupt = frames[1]
        corrupt[80] ^= 0x10
        frames.insert(corrupt, at: 1)
        let deliveries = coalesce(frames)
        #expect(deliveries.map(\.item.frames) == [5, 1])
        #expect(deliveries.last?.bytes == corrupt)
    }

    @Test func aCorruptFirstFrameIsNotVouchedFor() {
        var frames = naiveTCP(.ipv4, payloadBytes(500), size: 100, sequence: 1, flags: 0x10)
        frames[0][80] ^= 0x10
        let deliveries = coalesce(frames)
        #expect(deliveries.map(\.item.frames) == [1, 4])
        #expect(deliveries.first?.bytes == frames[0])
    }

    @Test func datagramsWithoutChecksumOrWithAWrongLengthAreLeftAlone() {
        var second = FrameBuilder.ipv4
        second.identification = 1
        let payload = payloadBytes(100)
        let absent = [
            FrameBuilder.ipv4.udp(payload: payload, checksum: .absent),
            second.udp(payload: payload, checksum: .absent),
        ]
        #expect(coalesce(absent).map(\.bytes) == absent)
        var short = [FrameBuilder.ipv4.udp(payload: payload), second.udp(payload: payload)]
        short[1][39] -= 1
        #expect(coalesce(short).map(\.bytes) == short)
    }
}
