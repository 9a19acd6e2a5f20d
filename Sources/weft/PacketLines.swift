import Glibc

/// Makes one line of what tcpdump prints of a packet, with what it does not know in front.
package struct PacketLines {
    private var rest: [UInt8] = []
    private var line = ""

    package init() {}

    /// No packet's line waits for more.
    package var isEmpty: Bool { line.isEmpty }

    /// Takes output; `packet` gives the packet whose first line it is told. Gives lines that are
    /// whole.
    package mutating func take(
        _ bytes: some Sequence<UInt8>, packet: (String) -> PcapngReader.Packet?
    ) -> String {
        rest += bytes
        var text = ""
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let part = String(decoding: rest[..<end], as: UTF8.self)
            rest.removeSubrange(...end)
            if let packet = packet(part) {
                text += finish()
                line = Self.front(packet) + part.drop { $0 != " " }
            } else {
                line += " " + part.drop { $0 == " " || $0 == "\t" }
            }
        }
        return text
    }

    /// The line that waits, which is whole.
    package mutating func finish() -> String {
        defer { line = "" }
        return line.isEmpty ? "" : line + "\n"
    }

    /// `1700000000.123456789`: how a packet's first line begins.
    package static func stamp(_ packet: PcapngReader.Packet) -> String {
        "\(packet.time / 1_000_000_000).\(padded(packet.time % 1_000_000_000, 9))"
    }

    /// `22:15:07.123456 vm1 in`, and why it was dropped.
    private static func front(_ packet: PcapngReader.Packet) -> String {
        var seconds = time_t(packet.time / 1_000_000_000)
        var moment = tm()
        localtime_r(&seconds, &moment)
        let clock = [moment.tm_hour, moment.tm_min, moment.tm_sec].map { padded(UInt64($0), 2) }
        var text =
            clock.joined(separator: ":") + "."
            + padded(packet.time % 1_000_000_000 / 1000, 6)
        text += " \(packet.interface) \(packet.isOutbound ? "out" : "in")"
        if let reason = packet.comment?.prefix(while: { $0 != ":" }) { text += " drop \(reason)" }
        return text
    }

    private static func padded(_ number: UInt64, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
