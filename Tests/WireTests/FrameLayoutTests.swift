import TestFrames
import Testing
import Wire

/// Frames written out byte by byte, and what the walk must find in them.
@Suite("Frame layout")
struct FrameLayoutTests {
    static let macs = hex("0200 0000 0002 0200 0000 0001")
    /// To 10.0.0.2 from 10.0.0.1: TTL 64, UDP, 28 bytes in all.
    static let ipv4 = hex("4500 001c 0000 4000 4011 26cf 0a00 0001 0a00 0002")
    /// 40000 to 5201, no payload.
    static let udp = hex("9c40 1451 0008 0000")
    /// fd00::1 to fd00::2, hop limit 64; next header and length are set by `ipv6`.
    static let ipv6Addresses = hex(
        "fd00 0000 0000 0000 0000 0000 0000 0001 fd00 0000 0000 0000 0000 0000 0000 0002")

    func parse(_ frame: [UInt8]) -> FrameLayout? {
        // Of exactly the frame's length, so that the allocator's checks see a read past it.
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, frame.count), alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: frame)
        return FrameLayout.parse(copy.baseAddress!, length: frame.count)
    }

    func ipv6(_ next: UInt8, _ payload: [UInt8], told: Int? = nil) -> [UInt8] {
        Self.macs + hex("86dd 6000 0000") + be16(UInt16(told ?? payload.count)) + [next, 64]
            + Self.ipv6Addresses + payload
    }

    func layer2(_ type: UInt16, at offset: Int, tags: UInt8 = 0, end: Int) -> FrameLayout {
        FrameLayout(
            network: .other, tags: tags, etherType: EtherType(type), networkOffset: offset,
            transportOffset: 0, transport: .none, isFragment: false, packetEnd: end)
    }

    // MARK: Ethernet

    @Test(arguments: 0..<14)
    func shorterThanAnEthernetHeaderIsNoFrame(_ length: Int) {
        #expect(parse([UInt8](repeating: 0xff, count: length)) == nil)
    }

    @Test func headerAloneIsAFrame() {
        #expect(parse(Self.macs + hex("88b5")) == layer2(0x88b5, at: 14, end: 14))
    }

    @Test(arguments: ["8100 0064", "88a8 0064"])
    func tagMovesTheNetworkHeader(_ tag: String) {
        let frame = Self.macs + hex(tag) + hex("0800") + Self.ipv4 + Self.udp
        #expect(
            parse(frame)
                == FrameLayout(
                    network: .ipv4, tags: 1, etherType: .ipv4, networkOffset: 18,
                    transportOffset: 38, transport: .udp, isFragment: false, packetEnd: 46))
    }

    @Test func twoTags() {
        let frame = Self.macs + hex("88a8 0064 8100 0065 0800") + Self.ipv4 + Self.udp
        #expect(
            parse(frame)
                == FrameLayout(
                    network: .ipv4, tags: 2, etherType: .ipv4, networkOffset: 22,
                    transportOffset: 42, transport: .udp, isFragment: false, packetEnd: 50))
    }

    @Test func thirdTagIsPayload() {
        let frame = Self.macs + hex("8100 0001 8100 0002 8100 0003 0800") + Self.ipv4
        #expect(parse(frame) == layer2(0x8100, at: 22, tags: 2, end: frame.count))
    }

    @Test func cutOffTagIsPayload() {
        let frame = Self.macs + hex("8100 0064 08")
        #expect(parse(frame) == layer2(0x8100, at: 14, end: 17))
    }

    // MARK: ARP

    static let arp = hex("0001 0800 0604 0001 0200 0000 0001 0a00 0001 0000 0000 0000 0a00 0002")

    @Test func arp() {
        let frame = Self.macs + hex("0806") + Self.arp
        let layout = parse(frame)
        #expect(layout?.network == .arp)
        #expect(layout?.networkOffset == 14)
        #expect(layout?.packetEnd == 42)
    }

    @Test func cutOffARPIsLayer2() {
        let frame = Self.macs + hex("0806") + Self.arp.dropLast()
        #expect(parse(frame) == layer2(0x0806, at: 14, end: 41))
    }

    // MARK: IPv4

    func parseIPv4(_ header: [UInt8], _ payload: [UInt8] = udp) -> FrameLayout? {
        parse(Self.macs + hex("0800") + header + payload)
    }

    @Test func ipv4() {
        #expect(
            parseIPv4(Self.ipv4)
                == FrameLayout(
                    network: .ipv4, tags: 0, etherType: .ipv4, networkOffset: 14,
                    transportOffset: 34, transport: .udp, isFragment: false, packetEnd: 42))
    }

    @Test func optionsMoveTheTransportHeader() {
        let header = hex("4700 0024 0000 4000 4011 0000 0a00 0001 0a00 0002 0101 0101 0101 0100")
        let layout = parseIPv4(header)
        #expect(layout?.transportOffset == 42)
        #expect(layout?.transport == .udp)
        #expect(layout?.packetEnd == 50)
    }

    @Test(
        "A header that cannot be is layer 2",
        arguments: [
            "3500",  // version 3
            "6500",  // version 6
            "4400",  // sixteen bytes of header
            "4000",  // no header at all
            "4f00",  // sixty bytes of header where there are twenty-eight
        ])
    func badVersionOrLength(_ start: String) {
        let header = hex(start) + Self.ipv4.dropFirst(2)
        #expect(parseIPv4(header) == layer2(0x0800, at: 14, end: 42))
    }

    @Test("A total length that cannot be is layer 2", arguments: [1, 19, 29, 0xffff])
    func badTotalLength(_ told: UInt16) {
        let header = Self.ipv4[..<2] + be16(told) + Self.ipv4[4...]
        #expect(parseIPv4(Array(header)) == layer2(0x0800, at: 14, end: 42))
    }

    @Test func totalLengthOfASuperframeMayBeZero() {
        let header = Self.ipv4[..<2] + be16(0) + Self.ipv4[4...]
        let layout = parseIPv4(Array(header))
        #expect(layout?.network == .ipv4)
        #expect(layout?.packetEnd == 42)
        #expect(layout?.transport == .udp)
    }

    @Test func paddingIsBehindThePacket() {
        let layout = parseIPv4(Self.ipv4, Self.udp + [UInt8](repeating: 0, count: 18))
        #expect(layout?.packetEnd == 42)
        #expect(layout?.transport == .udp)
    }

    @Test func transportMustFitIntoThePacketNotTheFrame() {
        // Total length 27: one byte of the UDP header is padding.
        let header = Self.ipv4[..<2] + be16(27) + Self.ipv4[4...]
        let layout = parseIPv4(Array(header))
        #expect(layout?.network == .ipv4)
        #expect(layout?.transport == IPProtocol.none)
        #expect(layout?.transportOffset == 0)
    }

    @Test(
        "Fragments",
        arguments: [
            (0x0000, false, true), (0x4000, false, true), (0x8000, false, true),
            (0x2000, true, true), (0x0001, true, false), (0x2001, true, false),
            (0x1fff, true, false),
        ] as [(UInt16, Bool, Bool)])
    func fragments(_ field: UInt16, _ isFragment: Bool, _ hasTransport: Bool) {
        let header = Self.ipv4[..<6] + be16(field) + Self.ipv4[8...]
        let layout = parseIPv4(Array(header))
        #expect(layout?.isFragment == isFragment)
        #expect(layout?.transport == (hasTransport ? .udp : IPProtocol.none))
        #expect(layout?.transportOffset == (hasTransport ? 34 : 0))
    }

    @Test(
        "The fixed transport header must be whole",
        arguments: [
            (6, 20), (17, 8), (1, 4),
        ] as [(UInt8, Int)])
    func cutOffTransport(_ proto: UInt8, _ needed: Int) {
        for length in 0...needed {
            let header =
                Self.ipv4[..<2] + be16(UInt16(20 + length)) + Self.ipv4[4..<9] + [proto]
                + Self.ipv4[10...]
            let layout = parseIPv4(Array(header), [UInt8](repeating: 0x50, count: length))
            let expected = length == needed ? IPProtocol(proto) : .none
            #expect(layout?.transport == expected, "\(length) bytes of protocol \(proto)")
            #expect(layout?.transportOffset == (length == needed ? 34 : 0))
        }
    }

    @Test func unknownProtocolHasNoTransport() {
        let header = Array(Self.ipv4[..<9] + [47] + Self.ipv4[10...])
        #expect(parseIPv4(header)?.transport == IPProtocol.none)
        #expect(parseIPv4(header)?.network == .ipv4)
    }

    @Test(arguments: 14..<34)
    func cutOffIPv4IsLayer2(_ length: Int) {
        let frame = Array((Self.macs + hex("0800") + Self.ipv4)[..<length])
        #expect(parse(frame) == layer2(0x0800, at: 14, end: length))
    }

    // MARK: IPv6

    @Test func ipv6() {
        #expect(
            parse(ipv6(17, Self.udp))
                == FrameLayout(
                    network: .ipv6, tags: 0, etherType: .ipv6, networkOffset: 14,
                    transportOffset: 54, transport: .udp, isFragment: false, packetEnd: 62))
    }

    @Test("Extension headers are walked", arguments: [0, 43, 60] as [UInt8])
    func extensionHeaders(_ type: UInt8) {
        // Eight bytes, then twenty-four, then UDP.
        let chain = [60, 0] + hex("0104 0000 0000") + [17, 2] + [UInt8](repeating: 0, count: 22)
        let layout = parse(ipv6(type, chain + Self.udp))
        #expect(layout?.transport == .udp)
        #expect(layout?.transportOffset == 86)
        #expect(layout?.isFragment == false)
    }

    @Test func extensionHeaderThatLeadsPastTheEndHidesTheTransport() {
        let layout = parse(ipv6(60, [17, 255] + hex("0104 0000 0000") + Self.udp))
        #expect(layout?.network == .ipv6)
        #expect(layout?.transport == IPProtocol.none)
    }

    @Test func cutOffExtensionHeaderHidesTheTransport() {
        let layout = parse(ipv6(60, [17, 0, 1, 4, 0, 0, 0]))
        #expect(layout?.network == .ipv6)
        #expect(layout?.transport == IPProtocol.none)
    }

    /// A destination options header of eight bytes.
    func options(then next: UInt8) -> [UInt8] { [next, 0] + hex("0104 0000 0000") }

    @Test func eightExtensionHeadersAreWalked() {
        let chain = (0..<8).flatMap { options(then: $0 == 7 ? 17 : 60) }
        #expect(parse(ipv6(60, chain + Self.udp))?.transport == .udp)
    }

    /// What lies behind them cannot be judged, so the packet is none that we understand.
    @Test func nineExtensionHeadersAreLayer2() {
        let chain = (0..<9).flatMap { options(then: $0 == 8 ? 17 : 60) }
        let frame = ipv6(60, chain + Self.udp)
        #expect(parse(frame) == layer2(0x86dd, at: 14, end: frame.count))
    }

    @Test(
        "Fragment header",
        arguments: [
            (0x0000, true), (0x0001, true), (0x0008, false), (0xfff9, false),
        ] as [(UInt16, Bool)])
    func ipv6Fragments(_ field: UInt16, _ hasTransport: Bool) {
        let layout = parse(ipv6(44, [17, 0] + be16(field) + hex("0000 0001") + Self.udp))
        #expect(layout?.isFragment == true)
        #expect(layout?.transport == (hasTransport ? .udp : IPProtocol.none))
        #expect(layout?.transportOffset == (hasTransport ? 62 : 0))
    }

    @Test func noNextHeader() {
        #expect(parse(ipv6(59, Self.udp))?.transport == IPProtocol.none)
    }

    @Test func payloadLengthPastTheFrameIsLayer2() {
        #expect(parse(ipv6(17, Self.udp, told: 9)) == layer2(0x86dd, at: 14, end: 62))
    }

    @Test func payloadLengthZeroIsTheFrame() {
        let layout = parse(ipv6(17, Self.udp, told: 0))
        #expect(layout?.packetEnd == 62)
        #expect(layout?.transport == .udp)
    }

    @Test func paddingIsBehindTheIPv6Packet() {
        let layout = parse(ipv6(17, Self.udp + [0, 0, 0], told: 8))
        #expect(layout?.packetEnd == 62)
    }

    @Test func otherVersionIsLayer2() {
        var frame = ipv6(17, Self.udp)
        frame[14] = 0x40
        #expect(parse(frame) == layer2(0x86dd, at: 14, end: 62))
    }

    @Test(arguments: 14..<54)
    func cutOffIPv6IsLayer2(_ length: Int) {
        let frame = Array(ipv6(17, [])[..<length])
        #expect(parse(frame) == layer2(0x86dd, at: 14, end: length))
    }
}
