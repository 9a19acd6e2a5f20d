/// A block of a pcapng stream, read without the code that writes them.
struct PcapngBlock: Equatable {
    var type: UInt32
    var body: [UInt8]

    /// All blocks of a whole stream; nil if one is broken.
    static func all(in bytes: [UInt8]) -> [PcapngBlock]? {
        var blocks: [PcapngBlock] = []
        var position = 0
        while position < bytes.count {
            guard position + 12 <= bytes.count else { return nil }
            let length = Int(number(bytes, position + 4, 4))
            guard length >= 12, length % 4 == 0, position + length <= bytes.count,
                Int(number(bytes, position + length - 4, 4)) == length
            else { return nil }
            blocks.append(
                PcapngBlock(
                    type: UInt32(number(bytes, position, 4)),
                    body: Array(bytes[position + 8..<position + length - 4])))
            position += length
        }
        return blocks
    }

    /// A little-endian number of the body.
    func number(_ offset: Int, _ count: Int) -> UInt64 { Self.number(body, offset, count) }

    /// The options from an offset on, by code.
    func options(_ start: Int) -> [UInt16: [UInt8]] {
        var options: [UInt16: [UInt8]] = [:]
        var position = start
        while position + 4 <= body.count {
            let code = UInt16(number(position, 2))
            let count = Int(number(position + 2, 2))
            guard code != 0 else { break }
            options[code] = Array(body[position + 4..<position + 4 + count])
            position += 4 + (count + 3) / 4 * 4
        }
        return options
    }

    /// An enhanced packet's bytes and options.
    var packet: (bytes: [UInt8], options: [UInt16: [UInt8]]) {
        let count = Int(number(12, 4))
        return (Array(body[20..<20 + count]), options(20 + (count + 3) / 4 * 4))
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// The bytes of a text.
func text(_ string: String) -> [UInt8] { Array(string.utf8) }
