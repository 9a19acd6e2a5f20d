/// Takes a pcapng stream from `weftd` apart as it arrives: whole blocks, and what they say that a
/// person wants to know.
package struct PcapngReader {
    /// What a block is to us.
    package enum Block: Equatable {
        case packet(Packet)
        /// An interface, or something else that a reader of files knows about.
        case other
    }

    /// A packet, but for its bytes.
    package struct Packet: Equatable {
        /// Nanoseconds since 1970.
        package var time: UInt64
        package var interface: String
        package var isOutbound: Bool
        package var comment: String?

        /// A packet of these.
        package init(time: UInt64, interface: String, isOutbound: Bool, comment: String?) {
            self.time = time
            self.interface = interface
            self.isOutbound = isOutbound
            self.comment = comment
        }
    }

    /// What a stream is no longer when a block makes no sense.
    package struct Problem: Error, CustomStringConvertible {
        package let description = "weftd's reply makes no sense: it is no pcapng stream"
    }

    private var buffer: [UInt8] = []
    private var interfaces: [String] = []
    private var statistics: [UInt64: (received: UInt64, lost: UInt64)] = [:]
    /// Packets that came.
    package private(set) var packetCount: UInt64 = 0

    package init() {}

    /// Packets that were lost within `weftd`, as far as it has told.
    package var lostCount: UInt64 { statistics.values.reduce(0) { $0 + $1.lost } }

    /// Takes what has arrived; `each` gets every whole block and what it is.
    package mutating func take(
        _ bytes: [UInt8], each: (ArraySlice<UInt8>, Block) throws -> Void
    ) throws {
        buffer += bytes
        var start = 0
        while buffer.count - start >= 12 {
            let length = Int(number(start + 4, 4))
            guard length >= 12, length % 4 == 0, length < 1 << 24 else { throw Problem() }
            guard buffer.count - start >= length else { break }
            try each(buffer[start..<start + length], try block(start, length))
            start += length
        }
        buffer.removeFirst(start)
    }

    private mutating func block(_ start: Int, _ length: Int) throws -> Block {
        let end = start + length - 4
        switch number(start, 4) {
        case 1 where length >= 20:
            interfaces.append(try text(2, start + 16, end) ?? "?")
        case 5 where length >= 24:
            let options = try options(start + 20, end)
            let values = try [4, 5].map { try options[$0].map { try value($0, 8) } ?? 0 }
            statistics[number(start + 8, 4)] = (values[0], values[1])
        case 6 where length >= 32:
            packetCount += 1
            let kept = Int(number(start + 20, 4))
            let at = start + 28 + (kept + 3) / 4 * 4
            guard at <= end else { throw Problem() }
            let interface = Int(number(start + 8, 4))
            let options = try options(at, end)
            let flags = try options[2].map { try value($0, 4) } ?? 0
            return .packet(
                Packet(
                    time: number(start + 12, 4) << 32 | number(start + 16, 4),
                    interface: interfaces.indices.contains(interface)
                        ? interfaces[interface] : "?",
                    isOutbound: flags & 3 == 2, comment: try text(1, at, end)))
        default: break
        }
        return .other
    }

    private func text(_ code: Int, _ start: Int, _ end: Int) throws -> String? {
        try options(start, end)[code].map { String(decoding: buffer[$0], as: UTF8.self) }
    }

    /// Where the options' values lie, by code.
    private func options(_ start: Int, _ end: Int) throws -> [Int: Range<Int>] {
        var options: [Int: Range<Int>] = [:]
        var position = start
        while position + 4 <= end {
            let code = Int(number(position, 2))
            let length = Int(number(position + 2, 2))
            guard code != 0 else { break }
            guard position + 4 + length <= end else { throw Problem() }
            options[code] = position + 4..<position + 4 + length
            position += 4 + (length + 3) / 4 * 4
        }
        return options
    }

    /// An option that is a number.
    private func value(_ range: Range<Int>, _ count: Int) throws -> UInt64 {
        guard range.count == count else { throw Problem() }
        return number(range.lowerBound, count)
    }

    private func number(_ offset: Int, _ count: Int) -> UInt64 {
        buffer[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
