import Testing
import Wire

@testable import Datapath

/// The file that one daemon leaves for the next: whole or not at all, and over versions.
@Suite("Learned table")
struct LearnedTableTests {
    private static let example: LearnedTable = {
        var table = LearnedTable(savedAt: 1_790_000_000)
        table.places = [.port("vm-1"), .peer(IPv6Address("::ffff:192.0.2.1") ?? .any)]
        table.endpoints = [
            .init(vni: 100, mac: MACAddress(bits: 0x02_00_00_00_00_01), place: 0, age: 3),
            .init(vni: 0xff_ffff, mac: MACAddress(bits: 0xfe_ff_ff_ff_ff_ff), place: 1, age: 299),
        ]
        table.neighbors = [
            .init(
                vni: 100, address: IPv6Address("fd00::7") ?? .any,
                mac: MACAddress(bits: 0x02_00_00_00_00_01), role: 2)
        ]
        return table
    }()

    /// A file as another version would write it: its header's numbers and sections, and a sum.
    private func file(
        version: UInt8, readableSince: UInt8, sections: [UInt8] = []
    ) -> [UInt8] {
        var bytes = Array("weftlrn\n".utf8)
        bytes += [version, 0, 0, 0, readableSince, 0, 0, 0, 0x80, 0x51, 0x01, 0, 0, 0, 0, 0]
        return signed(bytes + sections)
    }

    /// With the checksum that belongs to it: FNV-1a, 64 bits.
    private func signed(_ bytes: [UInt8]) -> [UInt8] {
        let sum = bytes.reduce(UInt64(0xcbf2_9ce4_8422_2325)) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return bytes + (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
    }

    private func refusal(_ bytes: [UInt8]) -> String? {
        do throws(LearnedTableError) {
            _ = try LearnedTable(bytes)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func comesBackAsItWas() throws {
        #expect(try LearnedTable(Self.example.bytes) == Self.example)
        let empty = LearnedTable(savedAt: 1)
        #expect(try LearnedTable(empty.bytes).endpoints.isEmpty)
    }

    @Test func isRefusedIfCutOffAnywhere() {
        let bytes = Self.example.bytes
        for length in 0..<bytes.count { #expect(refusal(Array(bytes[..<length])) != nil) }
    }

    @Test func isRefusedIfAnyBitIsWrong() {
        let bytes = Self.example.bytes
        for bit in 0..<bytes.count * 8 {
            var wrong = bytes
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(refusal(wrong) != nil, "bit \(bit)")
        }
    }

    /// Sums that are right do not make counts so: nothing is read beyond the end.
    @Test func isRefusedIfASectionEndsBeyondIt() {
        let body = Array(Self.example.bytes.dropLast(8))
        for length in 24..<body.count { _ = refusal(signed(Array(body[..<length]))) }
        for count: UInt8 in [1, 0xff] {
            let section: [UInt8] = [2, 0, 18, 0, 0, count, 0, count]
            let bytes = file(version: 1, readableSince: 1, sections: section)
            #expect(refusal(bytes)?.contains("ends beyond") == true)
        }
        #expect(refusal(file(version: 1, readableSince: 1, sections: [2, 0, 18])) != nil)
    }

    @Test func aNewerOneThatThisVersionUnderstandsIsRead() throws {
        var bytes = file(
            version: 2, readableSince: 1,
            sections: [
                // A kind of record that is not known.
                9, 0, 3, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6,
                // Endpoints with two bytes more each; places with one that is not known.
                2, 0, 20, 0, 2, 0, 0, 0,
                100, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0xaa, 0xbb,
                100, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 8, 0xaa, 0xbb,
                1, 0, 1, 0, 15, 0, 0, 0,
            ] + Array("bond x\nport a-b".utf8))
        #expect(refusal(bytes) == nil)
        let table = try LearnedTable(bytes)
        #expect(table.savedAt == 86400)
        #expect(table.places == [.port(""), .port("a-b")])
        #expect(table.endpoints.map(\.age) == [7, 8])
        #expect(table.endpoints[0].mac == MACAddress(bits: 0x02_00_00_00_00_09))
        bytes = file(version: 7, readableSince: 2)
        #expect(refusal(bytes) == "has format 7, which format 1 cannot read")
    }

    /// Before there were neighbours.
    @Test func anOlderOneIsRead() throws {
        let bytes = file(
            version: 0, readableSince: 0,
            sections: [
                1, 0, 1, 0, 6, 0, 0, 0,
            ] + Array("port a".utf8) + [
                2, 0, 18, 0, 1, 0, 0, 0,
                100, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0, 9,
            ])
        let table = try LearnedTable(bytes)
        #expect(table.places == [.port("a")])
        #expect(table.endpoints.count == 1)
        #expect(table.neighbors.isEmpty)
    }

    @Test func endpointsOfNoPlaceAreLeftOut() throws {
        var table = Self.example
        table.endpoints[0].place = 2
        #expect(try LearnedTable(table.bytes).endpoints == [Self.example.endpoints[1]])
    }
}
