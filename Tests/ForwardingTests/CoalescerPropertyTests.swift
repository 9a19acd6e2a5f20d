import Forwarding
import TestFrames
import Testing
import Wire

/// Whatever arrives: cutting what is delivered gives what arrived, and each flow in its order.
@Suite("Coalescer: properties")
struct CoalescerPropertyTests {
    /// Frames of `flows` streams, interleaved, each a train of segments cut from superframes.
    func arrivals(_ generator: inout SeededGenerator, flows: Int, frames: Int) -> [Arrival] {
        var streams = (0..<flows).map { Stream(index: $0, &generator) }
        var arrivals: [Arrival] = []
        while arrivals.count < frames {
            let index = generator.below(flows)
            arrivals += streams[index].next(&generator, count: 1 + generator.below(12))
        }
        return arrivals
    }

    struct Stream {
        var builder: FrameBuilder
        let port: UInt32
        let isTCP: Bool
        let hasFixedIdentification: Bool
        var sequence: UInt32
        let size: Int

        init(index: Int, _ generator: inout SeededGenerator) {
            builder = generator.oneIn(2) ? .ipv4 : .ipv6
            builder.sourcePort = UInt16(1000 + index / 2)
            if generator.oneIn(3) { builder.tags = [UInt16(generator.below(3))] }
            builder.identification = UInt16(truncatingIfNeeded: generator.next())
            builder.dontFragment = generator.oneIn(2)
            hasFixedIdentification = builder.dontFragment && generator.oneIn(2)
            port = UInt32(index % 2)
            isTCP = !generator.oneIn(4)
            sequence = UInt32(truncatingIfNeeded: generator.next())
            size = 8 + generator.below(120)
        }

        mutating func next(_ generator: inout SeededGenerator, count: Int) -> [Arrival] {
            (0..<count).map { position in
                let length = position == count - 1 ? 1 + generator.below(size) : size
                let payload = generator.bytes(length)
                let flags: UInt8 = generator.oneIn(20) ? 0x18 : generator.oneIn(50) ? 0x11 : 0x10
                let frame =
                    isTCP
                    ? builder.tcp(sequence: sequence, flags: flags, payload: payload)
                    : builder.udp(payload: payload)
                sequence &+= UInt32(length)
                if !hasFixedIdentification { builder.identification &+= 1 }
                return Arrival(bytes: frame, port: port)
            }
        }
    }

    /// Loses, repeats, swaps and corrupts some.
    func disturb(_ arrivals: inout [Arrival], _ generator: inout SeededGenerator, oneIn rate: Int) {
        for index in arrivals.indices.dropLast() where generator.oneIn(rate) {
            switch generator.below(5) {
            case 0: arrivals[index] = arrivals[generator.below(arrivals.count)]
            case 1: arrivals.swapAt(index, index + 1)
            case 2: arrivals.swapAt(index, generator.below(arrivals.count))
            case 3:
                let offset = generator.below(arrivals[index].bytes.count)
                arrivals[index].bytes[offset] ^= 1 << UInt8(generator.below(8))
            default:
                let kept = 14 + generator.below(arrivals[index].bytes.count - 14)
                arrivals[index].bytes.removeLast(arrivals[index].bytes.count - kept)
            }
        }
    }

    /// Cuts each delivery back into frames; one that was not merged is its own.
    func cutAgain(_ deliveries: [Delivery]) throws -> [Arrival] {
        try deliveries.flatMap { delivery in
            let isMerged = delivery.item.virtio.isSuperframe
            #expect(isMerged == (delivery.item.frames > 1))
            let frames = isMerged ? try cut(delivery.bytes, delivery.item.virtio) : [delivery.bytes]
            #expect(frames.count == delivery.item.frames)
            return frames.map { Arrival(bytes: $0, port: delivery.item.port) }
        }
    }

    /// Without the identification of atomic packets, which superframes do not carry.
    func comparable(_ arrival: Arrival) -> Arrival {
        var arrival = arrival
        arrival.bytes.withUnsafeMutableBytes {
            let layout = FrameLayout.parse($0.baseAddress!, length: $0.count)!
            let packet = $0.baseAddress! + Int(layout.networkOffset)
            guard layout.network == .ipv4, layout.transport == .tcp || layout.transport == .udp,
                packet.load16(IPv4.flagsAndFragment) == IPv4.dontFragment,
                Checksum.ipv4HeaderIsValid(packet, headerLength: 20)
            else { return }
            packet.store16(0, IPv4.identification)
            packet.store16(0, IPv4.checksum)
        }
        return arrival
    }

    /// The flow by what a receiver would tell it by; nil for frames that it would drop.
    func flow(_ arrival: Arrival) -> [UInt8]? {
        arrival.bytes.withUnsafeBytes {
            let layout = FrameLayout.parse($0.baseAddress!, length: $0.count)!
            let network = Int(layout.networkOffset)
            guard Checksum.transportIsValid($0.baseAddress!, layout),
                layout.network == .ipv6
                    || Checksum.ipv4HeaderIsValid($0.baseAddress! + network, headerLength: 20)
            else { return nil }
            let (start, length) = layout.network == .ipv6 ? (8, 32) : (12, 8)
            let addresses = network + start..<network + start + length
            let ports = Int(layout.transportOffset)..<Int(layout.transportOffset) + 4
            return Array($0[..<network]) + Array($0[addresses]) + Array($0[ports])
                + [layout.transport.rawValue, UInt8(arrival.port)]
        }
    }

    func check(_ arrivals: [Arrival], _ deliveries: [Delivery], _ seed: UInt64) throws {
        let again = try cutAgain(deliveries)
        let sorted = { (arrivals: [Arrival]) in
            arrivals.map { [UInt8($0.port)] + self.comparable($0).bytes }
                .sorted { $0.lexicographicallyPrecedes($1) }
        }
        let isComplete = sorted(arrivals) == sorted(again)
        #expect(isComplete, "seed \(seed)")
        let isInOrder = byFlow(arrivals) == byFlow(again)
        #expect(isInOrder, "seed \(seed)")
    }

    func byFlow(_ arrivals: [Arrival]) -> [[UInt8]: [[UInt8]]] {
        var flows: [[UInt8]: [[UInt8]]] = [:]
        for arrival in arrivals {
            guard let flow = flow(arrival) else { continue }
            flows[flow, default: []].append(comparable(arrival).bytes)
        }
        return flows
    }

    @Test(arguments: 1...60)
    func cuttingGivesBackWhatArrived(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var coalescer = Coalescer(
            capacity: 1 + generator.below(400), flowSlots: 1 + generator.below(64))
        for _ in 0..<4 {
            var frames = arrivals(&generator, flows: 1 + generator.below(40), frames: 200)
            if !generator.oneIn(4) { disturb(&frames, &generator, oneIn: 2 + generator.below(30)) }
            frames = frames.map {
                var frame = $0
                frame.takesUDPSuperframes = frame.port == 0
                return frame
            }
            try check(frames, coalesce(frames, with: &coalescer), seed)
        }
    }

    @Test(arguments: [1, 4, 16, 64])
    func undisturbedStreamsMergeCompletely(flows: Int) {
        // Two superframes of each flow one after the other, the segments of all flows in turn.
        let streams = (0..<flows).map { index in
            var builder = index % 2 == 0 ? FrameBuilder.ipv4 : .ipv6
            builder.sourcePort = UInt16(30000 + index)
            let first = naiveTCP(builder, payloadBytes(1600), size: 100, sequence: 1, flags: 0x18)
            builder.identification = 16
            return first
                + naiveTCP(builder, payloadBytes(1600), size: 100, sequence: 1601, flags: 0x10)
        }
        let turns = (0..<32).flatMap { turn in streams.map { Arrival(bytes: $0[turn]) } }
        var coalescer = Coalescer(capacity: 4096)
        let deliveries = coalesce(turns, with: &coalescer)
        #expect(deliveries.map(\.item.frames) == [Int](repeating: 16, count: 2 * flows))
    }

    @Test(arguments: [UInt64(31), 32])
    func hostileFramesNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var coalescer = Coalescer(capacity: 64, flowSlots: 8)
        let seeds = Self.hostileSeeds
        for _ in 0..<500 {
            let frames = (0..<100).map { _ in
                var bytes = seeds[generator.below(seeds.count)]
                for _ in 0..<generator.below(3) {
                    let offset = 12 + generator.below(bytes.count - 12)
                    bytes[offset] = UInt8(truncatingIfNeeded: generator.next())
                }
                if generator.oneIn(8) { bytes.removeLast(generator.below(bytes.count)) }
                if generator.oneIn(20) { bytes = generator.bytes(generator.below(100)) }
                return Arrival(bytes: bytes)
            }
            let deliveries = coalesce(frames, with: &coalescer)
            let parsed = frames.filter { $0.bytes.count >= 14 }
            #expect(deliveries.map(\.item.frames).reduce(0, +) == parsed.count)
        }
    }

    static let hostileSeeds: [[UInt8]] = [FrameBuilder.ipv4, .ipv6].flatMap { builder in
        [
            builder.tcp(), builder.tcp(payload: payloadBytes(30)),
            builder.tcp(sequence: 31, payload: payloadBytes(30)), builder.udp(),
            builder.udp(payload: payloadBytes(30)), builder.icmpEcho(),
        ]
    }
}
