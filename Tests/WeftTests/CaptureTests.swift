import Capture
import ControlAPI
import Glibc
import Testing
import weft

@Suite("Captures on the command line")
struct CaptureTests {
    /// A stream of an interface and two packets, one of them dropped.
    private static let stream: [UInt8] = {
        var encoder = PcapngEncoder()
        encoder.section(application: "test")
        encoder.interface(name: "vm1", description: "a port", snapLength: 100)
        for (number, comment) in [(1, nil), (2, "spoofedIP: why")] as [(UInt64, String?)] {
            encoder.packet(
                CaptureRecord(
                    row: 0, marks: number == 2 ? .outbound : [],
                    time: 1_700_000_000_000_000_000 + number, keptLength: 7, length: 9),
                interface: 0, comment: comment
            ) { $0 += [1, 2, 3, 4, 5, 6, 7] }
        }
        encoder.statistics(interface: 0, time: 5, received: 12, lost: 10)
        return encoder.take()
    }()

    private static let packets = [
        PcapngReader.Packet(
            time: 1_700_000_000_000_000_001, interface: "vm1", isOutbound: false, comment: nil),
        PcapngReader.Packet(
            time: 1_700_000_000_000_000_002, interface: "vm1", isOutbound: true,
            comment: "spoofedIP: why"),
    ]

    @Test("a stream is taken apart however it arrives", arguments: [1, 3, 28, 1000])
    func pieces(_ size: Int) throws {
        var reader = PcapngReader()
        var packets: [PcapngReader.Packet] = []
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: Self.stream.count, by: size) {
            let piece = Self.stream[start..<min(start + size, Self.stream.count)]
            try reader.take(Array(piece)) { block, kind in
                bytes += block
                if case .packet(let packet) = kind { packets.append(packet) }
            }
        }
        #expect(bytes == Self.stream)
        #expect(packets == Self.packets)
        #expect(reader.packetCount == 2)
        #expect(reader.lostCount == 10)
    }

    @Test("what is no pcapng stream is refused, and nothing traps")
    func garbage() {
        for position in Self.stream.indices {
            for value in [0, 0xff, Self.stream[position] ^ 4] as [UInt8] {
                var bytes = Self.stream
                bytes[position] = value
                var reader = PcapngReader()
                try? reader.take(bytes) { _, _ in }
            }
        }
        var reader = PcapngReader()
        #expect(throws: PcapngReader.Problem.self) {
            try reader.take([UInt8](repeating: 3, count: 12)) { _, _ in }
        }
    }

    @Test("a line per packet, whatever tcpdump makes of it")
    func lines() {
        setenv("TZ", "UTC", 1)
        tzset()
        var expected = Self.packets
        var lines = PacketLines()
        func take(_ text: String) -> String {
            lines.take(Array(text.utf8)) { line in
                guard let first = expected.first, line.hasPrefix(PacketLines.stamp(first)) else {
                    return nil
                }
                return expected.removeFirst()
            }
        }
        #expect(take("1700000000.0000") == "")
        #expect(lines.isEmpty)
        #expect(take("00001 IP a > b: VXLAN\nIP c > d: ICMP\n") == "")
        #expect(
            take("1700000000.000000002 ARP\n")
                == "22:13:20.000000 vm1 in IP a > b: VXLAN IP c > d: ICMP\n")
        #expect(lines.finish() == "22:13:20.000000 vm1 out drop spoofedIP ARP\n")
        #expect(lines.isEmpty)
    }

    @Test(
        "a filter is what libpcap makes of it",
        .enabled(if: (try? FilterCompiler()) != nil, "libpcap0.8 is not installed"))
    func filter() throws {
        let compiler = try FilterCompiler()
        let program = try compiler.program("icmp", snapLength: 100)
        #expect(
            program == [
                FilterInstruction(code: 0x28, k: 12),
                FilterInstruction(code: 0x15, jumpTrue: 0, jumpFalse: 3, k: 0x800),
                FilterInstruction(code: 0x30, k: 23),
                FilterInstruction(code: 0x15, jumpTrue: 0, jumpFalse: 1, k: 1),
                FilterInstruction(code: 0x06, k: 100),
                FilterInstruction(code: 0x06, k: 0),
            ])
        for expression in [
            "tcp[tcpflags] & tcp-syn != 0 and portrange 1-1000", "vlan 7 and ip6 proto 58",
            "ether host 02:00:00:00:00:01 or len > 1000", "not (arp or host 10.0.0.1)",
        ] {
            let program = try compiler.program(expression, snapLength: 262_144)
            try PacketFilter(program).deallocate()
        }
        let problem = #expect(throws: FilterProblem.self) {
            try compiler.program("icmp and", snapLength: 100)
        }
        #expect(problem?.description.contains("filter `icmp and`: ") == true)
    }
}
