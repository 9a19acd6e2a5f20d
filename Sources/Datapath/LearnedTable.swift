// LearnedTable: what a host has learned, for the daemon that comes next. Rows differ from one
// daemon to the next, so places and networks go by what tells them apart: VNI, port name, address.
//
// The file, in little endian:
//
//   8 bytes  magic          4  version of the writer      4  oldest version that can read it
//   8        wall clock, seconds                          sections, to the checksum
//   8        FNV-1a of all before, in the last 8 bytes
//
//   section: 2  kind   2  bytes of a record   4  records   records
//
// A reader passes over kinds that it does not know, and over what is in a record beyond what it
// knows. So what is added keeps the second number, and an older daemon reads the file, too; what
// changes the meaning of something raises it, and an older one starts without.

import Glibc
import Wire

struct LearnedTable: Equatable {
    /// Where an endpoint was.
    enum Place: Hashable {
        case port(String)
        case peer(IPv6Address)
    }

    struct Endpoint: Equatable {
        var vni: UInt32
        var mac: MACAddress
        /// Index in `places`.
        var place: Int
        /// Seconds since it was seen, when the table was saved.
        var age: UInt32
    }

    struct Neighbor: Equatable {
        var vni: UInt32
        var address: IPv6Address
        var mac: MACAddress
        /// What `NeighborRole` has.
        var role: UInt8
    }

    /// Seconds since 1970.
    var savedAt: UInt64
    var places: [Place] = []
    var endpoints: [Endpoint] = []
    var neighbors: [Neighbor] = []

    init(savedAt: UInt64) { self.savedAt = savedAt }
}

/// Why a file gives no table.
struct LearnedTableError: Error, Equatable, CustomStringConvertible {
    let description: String
}

// MARK: - Writing

extension LearnedTable {
    static let version: UInt32 = 1
    /// The oldest version that understands what this one writes.
    static let readableSince: UInt32 = 1
    fileprivate static let magic: [UInt8] = Array("weftlrn\n".utf8)
    fileprivate static let headerLength = 24

    fileprivate enum Section: UInt16 {
        /// Text: a line for each place, `port NAME` or `peer ADDRESS`.
        case places = 1
        /// VNI, place and age in 4 bytes each, MAC in 6.
        case endpoints = 2
        /// Address in 16 bytes, VNI in 4, MAC in 6, role in 1.
        case neighbors = 3

        var recordLength: Int { [1, 18, 27][Int(rawValue) - 1] }
    }

    var bytes: [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(64 + 18 * endpoints.count + 27 * neighbors.count)
        bytes.append(littleEndian: Self.version)
        bytes.append(littleEndian: Self.readableSince)
        bytes.append(littleEndian: savedAt)
        let lines = Array(places.map(\.line).joined(separator: "\n").utf8)
        bytes.begin(.places, lines.count)
        bytes += lines
        bytes.begin(.endpoints, endpoints.count)
        for endpoint in endpoints {
            bytes.append(littleEndian: endpoint.vni)
            bytes.append(littleEndian: UInt32(endpoint.place))
            bytes.append(littleEndian: endpoint.age)
            bytes.append(endpoint.mac)
        }
        bytes.begin(.neighbors, neighbors.count)
        for neighbor in neighbors {
            bytes.append(littleEndian: neighbor.address.high)
            bytes.append(littleEndian: neighbor.address.low)
            bytes.append(littleEndian: neighbor.vni)
            bytes.append(neighbor.mac)
            bytes.append(neighbor.role)
        }
        bytes.append(littleEndian: checksum(bytes[...]))
        return bytes
    }
}

extension LearnedTable.Place {
    fileprivate var line: String {
        switch self {
        case .port(let name): "port \(name)"
        case .peer(let address): "peer \(address)"
        }
    }

    fileprivate init?(line: Substring) {
        let words = line.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { return nil }
        switch words[0] {
        case "port": self = .port(String(words[1]))
        case "peer":
            guard let address = IPv6Address(String(words[1])) else { return nil }
            self = .peer(address)
        default: return nil
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(_ mac: MACAddress) {
        for index in 0..<6 { append(mac.octet(index)) }
    }

    fileprivate mutating func begin(_ section: LearnedTable.Section, _ count: Int) {
        append(littleEndian: section.rawValue)
        append(littleEndian: UInt16(section.recordLength))
        append(littleEndian: UInt32(count))
    }
}

/// FNV-1a, 64 bits: it tells whether a file is whole, not who wrote it.
private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.withUnsafeBytes { bytes in
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}

// MARK: - Reading

extension LearnedTable {
    /// From the bytes of a file, whatever they are.
    /// - Throws: `LearnedTableError` if they are not a whole table that this version understands.
    init(_ bytes: [UInt8]) throws(LearnedTableError) {
        guard bytes.count >= Self.headerLength + 8, bytes.starts(with: Self.magic) else {
            throw LearnedTableError(description: "is no table of endpoints")
        }
        let end = bytes.count - 8
        guard bytes.number(at: end, as: UInt64.self) == checksum(bytes[..<end]) else {
            throw LearnedTableError(description: "is damaged or not complete")
        }
        let (version, oldest) = (
            bytes.number(at: 8, as: UInt32.self), bytes.number(at: 12, as: UInt32.self)
        )
        guard oldest <= Self.version else {
            throw LearnedTableError(
                description: "has format \(version), which format \(Self.version) cannot read")
        }
        savedAt = bytes.number(at: 16, as: UInt64.self)
        var offset = Self.headerLength
        while offset < end {
            offset = try takeSection(bytes, at: offset, end)
        }
        endpoints.removeAll { !places.indices.contains($0.place) }
    }

    /// Takes what it knows, and tells where the next section begins.
    private mutating func takeSection(
        _ bytes: [UInt8], at offset: Int, _ end: Int
    ) throws(LearnedTableError) -> Int {
        let refusal = LearnedTableError(description: "has a section that ends beyond it")
        guard end - offset >= 8 else { throw refusal }
        let length = Int(bytes.number(at: offset + 2, as: UInt16.self))
        let count = Int(bytes.number(at: offset + 4, as: UInt32.self))
        let first = offset + 8
        guard count * length <= end - first else { throw refusal }
        let next = first + count * length
        let kind = bytes.number(at: offset, as: UInt16.self)
        guard let section = Section(rawValue: kind), length >= section.recordLength else {
            return next
        }
        switch section {
        case .places:
            let text = String(decoding: bytes[first..<next], as: UTF8.self)
            // A place of a kind that is not known keeps its number: it stands for no port.
            places = text.split(separator: "\n", omittingEmptySubsequences: false).map {
                Place(line: $0) ?? .port("")
            }
        case .endpoints:
            endpoints = (0..<count).map { bytes.endpoint(at: first + $0 * length) }
        case .neighbors:
            neighbors = (0..<count).map { bytes.neighbor(at: first + $0 * length) }
        }
        return next
    }
}

extension [UInt8] {
    fileprivate func number<Value: FixedWidthInteger>(at offset: Int, as: Value.Type) -> Value {
        withUnsafeBytes {
            Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
    }

    private func mac(at offset: Int) -> MACAddress {
        MACAddress(bits: self[offset..<offset + 6].reduce(0) { $0 << 8 | UInt64($1) })
    }

    fileprivate func endpoint(at offset: Int) -> LearnedTable.Endpoint {
        LearnedTable.Endpoint(
            vni: number(at: offset, as: UInt32.self), mac: mac(at: offset + 12),
            place: Int(number(at: offset + 4, as: UInt32.self)),
            age: number(at: offset + 8, as: UInt32.self))
    }

    fileprivate func neighbor(at offset: Int) -> LearnedTable.Neighbor {
        LearnedTable.Neighbor(
            vni: number(at: offset + 16, as: UInt32.self),
            address: IPv6Address(
                high: number(at: offset, as: UInt64.self),
                low: number(at: offset + 8, as: UInt64.self)),
            mac: mac(at: offset + 20), role: self[offset + 26])
    }
}
