import TestFrames
import Testing
import Wire

@Suite("Addresses")
struct AddressTests {
    /// Text that is no address of any kind; configuration and API hand over anything.
    static let hostile = [
        "", " ", ".", ":", "::::", "...", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "1.2.3.+4",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/24", "0x1.2.3.4", "1.2.3.4\n", "1.2.3.4\0", "1.2.3.4\0.5",
        "::1\0", "::1%eth0", "[::1]", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "g::1",
        "12345::1", "\u{0661}.2.3.4", "\u{ff11}.2.3.4", "::\u{0661}", "1,2,3,4", "localhost",
        "02:00:0a:00:00", "02:00:0a:00:00:01:02", "02:00:0a:00:00:1", "02:00:0a:00:00:001",
        "02:00:0a:00:00:0g", "02:00:0a:00:00:+1", "+2:00:0a:00:00:01", "02:00:0a:00:00:-1",
        "02-00:0a:00:00:01", "02:00:0a:00:00:", ":02:00:0a:00:00", "02000a000001",
        "0200.0a00.0001",
        "02:00:0a:00:00:01\0", "02:00:0a:00:00:01 ", "\u{0660}2:00:0a:00:00:01",
        "é:00:0a:00:00:01",
        String(repeating: "1", count: 100_000), String(repeating: ":", count: 100_000),
        String(repeating: "1.", count: 50_000),
    ]

    @Test(arguments: hostile.indices)
    func hostileTextIsNoAddress(_ index: Int) {
        let text = Self.hostile[index]
        #expect(IPv4Address(text) == nil)
        #expect(IPv6Address(text) == nil)
        #expect(IPAddress(text) == nil)
        #expect(MACAddress(text) == nil)
    }

    @Test(
        "IPv4",
        arguments: [
            ("0.0.0.0", 0), ("10.0.0.1", 0x0a00_0001), ("255.255.255.255", 0xffff_ffff),
        ] as [(String, UInt32)])
    func ipv4(_ text: String, _ bits: UInt32) {
        #expect(IPv4Address(text)?.bits == bits)
        #expect(IPv4Address(bits: bits).description == text)
    }

    @Test(
        "IPv6, in the form of RFC 5952",
        arguments: [
            ("::", "::", 0, 0), ("::1", "::1", 0, 1),
            ("FE80:0:0:0:0:ff:fe00:1", "fe80::ff:fe00:1", 0xfe80 << 48, 0x0000_00ff_fe00_0001),
            ("2001:db8::0:1", "2001:db8::1", 0x2001_0db8_0000_0000, 1),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1", 0, 0xffff_0a00_0001),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008),
        ] as [(String, String, UInt64, UInt64)])
    func ipv6(_ text: String, _ canonical: String, _ high: UInt64, _ low: UInt64) {
        #expect(IPv6Address(text) == IPv6Address(high: high, low: low))
        #expect(IPv6Address(high: high, low: low).description == canonical)
    }

    @Test func randomIPv6SurvivesItsText() {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<1000 {
            // Runs of zeros make the short forms.
            let address = IPv6Address(
                high: generator.next() & generator.next(), low: generator.next() >> 32)
            #expect(IPv6Address(address.description) == address)
            #expect(IPAddress(address.description) == .v6(address))
        }
    }

    @Test func ipv6OnTheWire() {
        let wire = hex("fe80 0000 0000 0000 0000 00ff fe00 0001")
        let address = wire.withUnsafeBytes { IPv6Address(at: $0.baseAddress!) }
        #expect(address == IPv6Address("fe80::ff:fe00:1"))
        var stored = [UInt8](repeating: 0, count: 16)
        stored.withUnsafeMutableBytes { address.store(at: $0.baseAddress!) }
        #expect(stored == wire)
    }

    @Test(
        "Kinds of IPv6 addresses",
        arguments: [
            ("fe80::1", true, false), ("febf::1", true, false), ("fec0::1", false, false),
            ("ff02::1", false, true), ("fd00::1", false, false), ("::", false, false),
        ])
    func kinds(_ text: String, _ isLinkLocal: Bool, _ isMulticast: Bool) throws {
        let address = try #require(IPv6Address(text))
        #expect(address.isLinkLocal == isLinkLocal)
        #expect(address.isMulticast == isMulticast)
    }

    @Test(
        "Link-local address of a MAC (RFC 4291 appendix A)",
        arguments: [
            ("02:00:0a:00:00:01", "fe80::aff:fe00:1"),
            ("00:11:22:33:44:55", "fe80::211:22ff:fe33:4455"),
            ("ff:ff:ff:ff:ff:ff", "fe80::fdff:ffff:feff:ffff"),
        ])
    func linkLocal(_ mac: String, _ address: String) throws {
        #expect(IPv6Address(linkLocalOf: try #require(MACAddress(mac))) == IPv6Address(address))
    }

    @Test func bothFamiliesInOneSpace() throws {
        let v4 = try #require(IPv4Address("10.0.0.1"))
        #expect(IPAddress.v4(v4).mapped == IPv6Address("::ffff:10.0.0.1"))
        #expect(IPv6Address(mapping: v4).mappedIPv4 == v4)
        #expect(IPv6Address("::fffe:10.0.0.1")?.mappedIPv4 == nil)
        #expect(IPv6Address("1::ffff:10.0.0.1")?.mappedIPv4 == nil)
    }

    @Test(
        "MAC",
        arguments: [
            ("02:00:0a:00:00:01", 0x0200_0a00_0001), ("02-00-0a-00-00-01", 0x0200_0a00_0001),
            ("FF:ff:Ff:fF:FF:FF", 0xffff_ffff_ffff), ("00:00:00:00:00:00", 0),
        ] as [(String, UInt64)])
    func mac(_ text: String, _ bits: UInt64) throws {
        let mac = try #require(MACAddress(text))
        #expect(mac.bits == bits)
        #expect(MACAddress(mac.description) == mac)
    }

    @Test func macOnTheWire() {
        let mac = MACAddress(bits: 0xabcd_0123_4567_89ef)
        #expect(mac.description == "01:23:45:67:89:ef")
        var stored = [UInt8](repeating: 0xee, count: 8)
        stored.withUnsafeMutableBytes { mac.store(at: $0.baseAddress! + 1) }
        #expect(stored == hex("ee 0123 4567 89ef ee"))
        #expect(stored.withUnsafeBytes { MACAddress(at: $0.baseAddress! + 1) } == mac)
        #expect((0..<6).map(mac.octet) == hex("0123 4567 89ef"))
    }

    @Test(
        "Group addresses",
        arguments: [
            ("ff:ff:ff:ff:ff:ff", true, true), ("01:00:5e:00:00:01", true, false),
            ("33:33:00:00:00:01", true, false), ("02:00:0a:00:00:01", false, false),
        ])
    func groups(_ text: String, _ isMulticast: Bool, _ isBroadcast: Bool) throws {
        let mac = try #require(MACAddress(text))
        #expect(mac.isMulticast == isMulticast)
        #expect(mac.isBroadcast == isBroadcast)
    }
}
