import TestFrames
import Testing
import Wire

@Suite("Flow hash")
struct FlowHashTests {
    func hash(_ frame: [UInt8]) -> UInt32 {
        frame.withUnsafeBytes {
            FlowHash.of($0.baseAddress!, FrameLayout.parse($0.baseAddress!, length: $0.count)!)
        }
    }

    /// The frames of 4096 flows that differ by `change` alone must fill 32 buckets about as evenly
    /// as chance would: chi squared with 31 degrees of freedom is above 70 once in 10^4.
    func spreads(_ base: FrameBuilder, _ change: (inout FrameBuilder, Int) -> Void) -> Bool {
        var low = [Int](repeating: 0, count: 32)
        var high = low
        for index in 0..<4096 {
            var builder = base
            change(&builder, index)
            let hash = hash(builder.udp())
            low[Int(hash % 32)] += 1
            high[Int(hash >> 27)] += 1
        }
        return chiSquared(low) < 70 && chiSquared(high) < 70
    }

    func chiSquared(_ buckets: [Int]) -> Double {
        let mean = Double(buckets.reduce(0, +)) / Double(buckets.count)
        var total = 0.0
        for bucket in buckets {
            let distance = Double(bucket) - mean
            total += distance * distance / mean
        }
        return total
    }

    @Test(arguments: [FrameBuilder.ipv4, .ipv6])
    func sequentialFlowsFillTheBuckets(_ base: FrameBuilder) {
        #expect(spreads(base) { $0.sourcePort = 32768 + UInt16($1) })
        #expect(spreads(base) { $0.destinationPort = 1 + UInt16($1) })
        #expect(spreads(base) { $0.sourcePort = 32768 + 2 * UInt16($1) })
        #expect(
            spreads(base) { builder, index in
                builder.destination =
                    builder.isIPv6
                    ? .v6(IPv6Address(high: 0xfd00 << 48, low: UInt64(index)))
                    : .v4(IPv4Address(bits: 0x0a00_0000 + UInt32(index)))
            })
    }

    @Test func addressesWithZeroHalvesCount() {
        var seen: Set<UInt32> = []
        for low in 1...1000 {
            var builder = FrameBuilder.ipv6
            builder.source = .v6(IPv6Address(high: 0, low: UInt64(low)))
            seen.insert(hash(builder.udp()))
        }
        #expect(seen.count == 1000)
    }

    @Test(arguments: [FrameBuilder.ipv4, .ipv6])
    func oneFlipOfAnInputBitFlipsHalfOfTheHash(_ base: FrameBuilder) {
        let frame = base.tcp()
        let start = base.isIPv6 ? 14 + 8 : 14 + 12
        let end = base.isIPv6 ? 54 + 4 : 34 + 4
        var flips = 0
        for bit in (start * 8)..<(end * 8) {
            var other = frame
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            let distance = (hash(frame) ^ hash(other)).nonzeroBitCount
            #expect(distance >= 4)
            flips += distance
        }
        let mean = Double(flips) / Double((end - start) * 8)
        #expect(mean > 14.5 && mean < 17.5)
    }

    @Test(arguments: [FrameBuilder.ipv4, .ipv6])
    func aSuperframeHashesAsItsSegments(_ base: FrameBuilder) {
        let superframe = base.tcp(payload: payloadBytes(40000), checksum: .partial)
        var later = base
        later.identification = 7
        #expect(hash(superframe) == hash(later.tcp(sequence: 1449, flags: 0x18, payload: [1])))
    }

    @Test func allFragmentsOfAPacketHashAlike() {
        let base = FrameBuilder.ipv4
        let first = base.ip(proto: 17, payloadBytes(64, seed: 3), fragment: 0x2000)
        let second = base.ip(proto: 17, payloadBytes(64, seed: 4), fragment: 0x2008)
        let last = base.ip(proto: 17, payloadBytes(3, seed: 5), fragment: 0x0010)
        #expect(hash(first) == hash(second))
        #expect(hash(first) == hash(last))
    }

    @Test func otherProtocolsHashByAddressesAndFramesByMAC() {
        var other = FrameBuilder.ipv4
        other.sourceMAC = MACAddress(bits: 0x0200_0000_0099)
        let base = FrameBuilder.ipv4
        #expect(hash(base.icmpEcho(sequence: 1)) == hash(other.icmpEcho(sequence: 2)))
        #expect(hash(base.ip(proto: 47, [1, 2])) != hash(base.ip(proto: 50, [1, 2])))
        #expect(hash(base.ethernet(type: 0x88b5, [1])) == hash(base.ethernet(type: 0x88b5, [2])))
        #expect(hash(base.ethernet(type: 0x88b5, [1])) != hash(other.ethernet(type: 0x88b5, [1])))
    }
}
