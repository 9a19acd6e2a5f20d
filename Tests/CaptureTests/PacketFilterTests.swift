import Capture
import ControlAPI
import TestFrames
import Testing

@Suite("Packet filter")
struct PacketFilterTests {
    /// `ip proto 1`, as libpcap writes it for Ethernet.
    static let icmp = [
        FilterInstruction(code: 0x28, k: 12),
        FilterInstruction(code: 0x15, jumpTrue: 0, jumpFalse: 3, k: 0x800),
        FilterInstruction(code: 0x30, k: 23),
        FilterInstruction(code: 0x15, jumpTrue: 0, jumpFalse: 1, k: 1),
        FilterInstruction(code: 0x06, k: 262_144),
        FilterInstruction(code: 0x06, k: 0),
    ]

    private func run(
        _ program: [FilterInstruction], _ packet: [UInt8], cuts: [Int] = []
    ) throws -> UInt32 {
        let filter = try PacketFilter(program)
        defer { filter.deallocate() }
        return withPieces(packet, cuts: cuts) { filter.run($0) }
    }

    @Test func picksWhatItIsToPick() throws {
        var packet = [UInt8](repeating: 0, count: 60)
        packet[12] = 8
        packet[23] = 1
        #expect(try run(Self.icmp, packet) == 262_144)
        for cut in 0...60 { #expect(try run(Self.icmp, packet, cuts: [cut]) == 262_144) }
        packet[23] = 17
        #expect(try run(Self.icmp, packet) == 0)
        // Too short for what the program looks at.
        for length in 0..<14 { #expect(try run(Self.icmp, Array(packet.prefix(length))) == 0) }
    }

    @Test(
        "is refused, by the instruction that is wrong",
        arguments: [
            ([], "1 to 4096 instructions"),
            ([FilterInstruction(code: 0x04, k: 1)], "last instruction does not return"),
            ([FilterInstruction(code: 0xffff), .init(code: 6)], "instruction 0 has an unknown"),
            ([.init(code: 0x60, k: 16), .init(code: 6)], "uses memory 16 of 16"),
            ([.init(code: 0x34, k: 0), .init(code: 6)], "divides by zero"),
            ([.init(code: 0x64, k: 32), .init(code: 6)], "shifts by 32"),
            ([.init(code: 0x05, k: 1), .init(code: 6)], "jumps out"),
            ([.init(code: 0x05, k: .max), .init(code: 6)], "jumps out"),
            ([.init(code: 0x15, jumpTrue: 1), .init(code: 6)], "jumps out"),
            ([.init(code: 0x15, jumpFalse: 255), .init(code: 6)], "jumps out"),
        ])
    func refused(_ program: [FilterInstruction], _ reason: String) {
        do throws(FilterError) {
            try PacketFilter(program).deallocate()
            Issue.record("it was accepted")
        } catch {
            #expect(error.description.contains(reason))
        }
    }

    @Test func refusedForItsLength() {
        let program = [FilterInstruction](repeating: .init(code: 6), count: 4097)
        let reason = #expect(throws: FilterError.self) { try PacketFilter(program) }
        #expect(reason?.description.contains("not 4097") == true)
    }

    @Test(
        "computes what libpcap computes, on programs and packets of every kind",
        .enabled(if: Libpcap.shared != nil, "libpcap0.8 is not installed"))
    func sameAsLibpcap() throws {
        let libpcap = try #require(Libpcap.shared)
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        var outcomes: Set<UInt32> = []
        for round in 0..<20_000 {
            let program = generator.program()
            try #require(libpcap.accepts(program), "seed \(seed), round \(round)")
            let filter = try PacketFilter(program)
            defer { filter.deallocate() }
            for _ in 0..<4 {
                let packet = generator.bytes(generator.below(80))
                let expected = libpcap.run(program, packet)
                let cuts = generator.cuts(packet.count)
                let found = withPieces(packet, cuts: cuts) { filter.run($0) }
                outcomes.insert(found)
                try #require(
                    found == expected,
                    "seed \(seed), round \(round): \(program) on \(packet) cut at \(cuts)")
            }
        }
        #expect(outcomes.count > 1000, "the programs do not all give up at once")
    }

    @Test(
        "accepts no program that libpcap refuses, and runs what it accepts",
        .enabled(if: Libpcap.shared != nil, "libpcap0.8 is not installed"))
    func acceptsNoMore() throws {
        let libpcap = try #require(Libpcap.shared)
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        var accepted = 0
        var refused = 0
        for round in 0..<40_000 {
            var program = generator.program()
            for _ in 0...generator.below(3) { generator.damage(&program) }
            guard let filter = try? PacketFilter(program) else {
                refused += 1
                continue
            }
            defer { filter.deallocate() }
            accepted += 1
            #expect(libpcap.accepts(program), "seed \(seed), round \(round): \(program)")
            let packet = generator.bytes(generator.below(80))
            #expect(
                withPieces(packet) { filter.run($0) } == libpcap.run(program, packet),
                "seed \(seed), round \(round): \(program)")
        }
        #expect(accepted > 1000 && refused > 1000, "seed \(seed): \(accepted), \(refused)")
    }
}

extension SeededGenerator {
    private static let plain: [UInt16] = [
        0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x00, 0x01, 0x81, 0xb1, 0x04, 0x14, 0x24, 0x44,
        0x54, 0xa4, 0x84, 0x0c, 0x1c, 0x2c, 0x3c, 0x9c, 0x4c, 0x5c, 0xac, 0x6c, 0x7c, 0x07, 0x87,
    ]
    private static let jumps: [UInt16] = [0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d]

    /// A number of the size that the instructions like: offsets, lengths, shifts, anything.
    fileprivate mutating func operand() -> UInt32 {
        switch below(4) {
        case 0: UInt32(below(4))
        case 1, 2: UInt32(below(84))
        default: UInt32(truncatingIfNeeded: next())
        }
    }

    /// A valid program. The first instructions fill the memory, which libpcap does not.
    fileprivate mutating func program() -> [FilterInstruction] {
        var program = (0..<16).map { FilterInstruction(code: $0 % 2 == 0 ? 0x02 : 0x03, k: $0) }
        let length = 1 + below(40)
        for left in (0..<length).reversed() {
            switch below(8) {
            case 0:
                let codes: [UInt16] = [0x60, 0x61, 0x02, 0x03]
                program.append(.init(code: codes[below(4)], k: UInt32(below(16))))
            case 1 where left > 0:
                program.append(
                    .init(
                        code: Self.jumps[below(Self.jumps.count)],
                        jumpTrue: UInt8(below(min(255, left + 1))),
                        jumpFalse: UInt8(below(min(255, left + 1))), k: operand()))
            case 2 where left > 0: program.append(.init(code: 0x05, k: UInt32(below(left + 1))))
            case 3:
                let codes: [UInt16] = [0x34, 0x94]
                program.append(.init(code: codes[below(2)], k: max(1, operand())))
            case 4:
                let codes: [UInt16] = [0x64, 0x74]
                program.append(.init(code: codes[below(2)], k: UInt32(below(32))))
            default:
                program.append(.init(code: Self.plain[below(Self.plain.count)], k: operand()))
            }
        }
        program.append(.init(code: oneIn(4) ? 0x06 : 0x16, k: operand()))
        return program
    }

    /// Changes a part of an instruction, or takes one out.
    fileprivate mutating func damage(_ program: inout [FilterInstruction]) {
        // The memory's filling stays as it is.
        let index = 16 + below(program.count - 16)
        switch below(5) {
        case 0: program[index].code ^= 1 << below(8)
        case 1: program[index].jumpTrue = UInt8(truncatingIfNeeded: next())
        case 2: program[index].jumpFalse = UInt8(truncatingIfNeeded: next())
        case 3: program[index].k = operand()
        default: if program.count > 17 { program.remove(at: index) }
        }
    }
}
