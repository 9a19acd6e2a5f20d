import Capture
import Foundation
import TestFrames
import Testing

@Suite("Capture stream")
struct CaptureStreamTests {
    private static func stream(
        _ rings: [CaptureRing], snapLength: Int = 1000, limit: Int? = nil
    ) -> CaptureStream {
        CaptureStream(
            rings, application: "test", snapLength: snapLength, limit: limit, first: 0,
            interface: { .init(name: "port\($0)", description: "row \($0)") },
            explanation: { "reason \($0)" })
    }

    private func push(
        _ ring: CaptureRing, time: UInt64, row: UInt16 = 0, marks: CaptureRecord.Marks = [],
        reason: UInt8 = 0, frames: Int = 1, _ bytes: [UInt8] = Array(0..<61), length: Int? = nil
    ) {
        withPieces(bytes) { packet in
            _ = ring.push(
                CaptureRecord(
                    row: row, marks: marks, frames: frames, reason: reason, time: time,
                    keptLength: bytes.count, length: length ?? bytes.count), packet)
        }
    }

    @Test func blocksSayWhatWasCaptured() throws {
        let ring = CaptureRing(capacity: 1 << 12, rows: 8)
        defer { ring.deallocate() }
        var stream = Self.stream([ring])
        push(ring, time: 0x1_0000_0002)
        push(
            ring, time: 0x1_0000_0003, row: 3, marks: [.outbound, .copy], reason: 5, frames: 4,
            length: 900)
        let bytes = stream.next(now: 1 << 40) + stream.statistics(now: 1 << 40)
        let blocks = try #require(PcapngBlock.all(in: bytes))
        #expect(blocks.map(\.type) == [0x0a0d_0d0a, 1, 6, 1, 6, 5, 5])
        #expect(blocks[0].number(0, 4) == 0x1a2b_3c4d)
        #expect(blocks[0].number(8, 8) == .max)
        #expect(blocks[1].number(0, 2) == 1)
        #expect(blocks[1].number(4, 4) == 1000)
        #expect(
            blocks[1].options(8) == [2: text("port0"), 3: text("row 0"), 9: [9]])
        #expect(blocks[2].number(0, 4) == 0)
        #expect(blocks[2].number(4, 4) == 1)
        #expect(blocks[2].number(8, 4) == 2)
        #expect(blocks[2].packet.bytes == Array(0..<61))
        #expect(blocks[2].packet.options == [2: [1, 0, 0, 0]])
        #expect(blocks[3].options(8)[2] == text("port3"))
        #expect(blocks[4].number(0, 4) == 1)
        #expect(blocks[4].number(16, 4) == 900)
        #expect(
            blocks[4].packet.options == [2: [2, 0, 0, 0], 1: text("reason 4 (4 frames) (a copy)")])
        #expect(blocks[6].options(12) == [4: [1] + zeros(7), 5: zeros(8)])
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    @Test func packetsOfAllWorkersComeInTheOrderOfTheirTimes() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let rings = (0..<3).map { _ in CaptureRing(capacity: 1 << 16, rows: 1) }
        defer { for ring in rings { ring.deallocate() } }
        var stream = Self.stream(rings)
        var bytes: [UInt8] = []
        var now: UInt64 = 1 << 40
        for _ in 0..<1000 {
            now += UInt64(generator.below(400_000))
            push(rings[generator.below(3)], time: now)
            if generator.oneIn(10) { bytes += stream.next(now: now) }
        }
        // The youngest wait for what others may still show.
        #expect(stream.isPending)
        bytes += stream.next(now: now + 1_000_000)
        #expect(!stream.isPending)
        let packets = try #require(PcapngBlock.all(in: bytes)).filter { $0.type == 6 }
        let times = packets.map { $0.number(4, 4) << 32 | $0.number(8, 4) }
        #expect(times.count == 1000, "seed \(seed)")
        #expect(times == times.sorted(), "seed \(seed)")
    }

    @Test func endsAfterSoManyPackets() throws {
        let ring = CaptureRing(capacity: 1 << 16, rows: 1)
        defer { ring.deallocate() }
        var stream = Self.stream([ring], limit: 3)
        for time in 0..<10 as Range<UInt64> { push(ring, time: time) }
        let bytes = stream.next(now: 1 << 40)
        #expect(try #require(PcapngBlock.all(in: bytes)).count { $0.type == 6 } == 3)
        #expect(stream.isComplete)
        #expect(stream.next(now: 1 << 40).isEmpty)
    }

    @Test func aPieceIsOfBoundedSize() throws {
        let ring = CaptureRing(capacity: 1 << 22, rows: 1)
        defer { ring.deallocate() }
        var stream = Self.stream([ring], snapLength: 1 << 18)
        let packet = [UInt8](repeating: 7, count: 60_000)
        while ring.lost == 0 { push(ring, time: 1, packet) }
        var pieces = 0
        while true {
            let piece = stream.next(now: 1 << 40)
            guard !piece.isEmpty else { break }
            #expect(piece.count < CaptureStream.pieceSize + 61_000)
            pieces += 1
        }
        #expect(pieces > 10)
        #expect(stream.count == ring.captured)
        let last = try #require(PcapngBlock.all(in: stream.statistics(now: 1 << 40))?.last)
        #expect(last.options(12)[4]?.first == UInt8(ring.captured + 1))
        #expect(last.options(12)[5]?.first == 1)
    }

    @Test(
        "tshark and capinfos read it",
        .enabled(
            if: ["tshark", "capinfos", "tcpdump"].allSatisfy { program($0) != nil },
            "needs tshark and tcpdump"))
    func otherReaders() throws {
        let ring = CaptureRing(capacity: 1 << 16, rows: 8)
        defer { ring.deallocate() }
        var stream = Self.stream([ring])
        let frame = FrameBuilder().udp()
        push(ring, time: 1_700_000_000_123_456_789, frame)
        push(
            ring, time: 1_700_000_000_123_456_790, row: 3, marks: .outbound, reason: 1,
            Array(frame.prefix(40)), length: frame.count)
        let bytes = stream.next(now: 1 << 62) + stream.statistics(now: 1_700_000_001_000_000_000)
        let file = NSTemporaryDirectory() + "weft-\(UUID().uuidString).pcapng"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(bytes).write(to: URL(filePath: file))
        let fields = [
            "frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction",
            "frame.cap_len", "frame.len", "frame.comment",
        ].flatMap { ["-e", $0] }
        let seen = try output("tshark", ["-n", "-r", file, "-T", "fields"] + fields)
        #expect(
            seen.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) } == [
                [
                    "1700000000.123456789", "port0", "0x00000001", "\(frame.count)",
                    "\(frame.count)",
                ],
                [
                    "1700000000.123456790", "port3", "0x00000002", "40", "\(frame.count)",
                    "reason 0",
                ],
            ])
        let facts = try output("capinfos", [file])
        #expect(facts.contains("pcapng") && facts.contains("nanoseconds"), "\(facts)")
        let lines = try output("tcpdump", ["-n", "-tt", "--nano", "-r", file])
        #expect(lines.hasPrefix("1700000000.123456789 IP "), "\(lines)")
        #expect(lines.split(separator: "\n").count == 2)
    }

    private func output(_ name: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: try #require(program(name)))
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: data, as: UTF8.self)
    }
}

/// Where a program is.
private func program(_ name: String) -> String? {
    ["/usr/bin/", "/usr/sbin/", "/usr/local/bin/"].map { $0 + name }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}
