/// A reply of HTTP/1.1 (RFC 9112): status and body. Bodies come with a length, in chunks, or up
/// to the end of the connection.
package struct HTTPReply: Sendable, Equatable {
    /// Most bytes that a body may have: a million endpoints fit several times over.
    package static let maximumBody = 1 << 30

    package var status: Int
    package var reason: String
    /// By name in lower case; of repeated ones the last.
    package var headers: [String: String]
    package var body: [UInt8]

    /// Reads one reply. `hasBody` is false for the reply to HEAD.
    package init(from reader: inout ByteReader, hasBody: Bool = true) throws(ControlError) {
        self = try Self.head(&reader)
        if hasBody, status != 204, status != 304 { try readBody(&reader) }
    }

    private init(status: Int, reason: String, headers: [String: String]) {
        self.status = status
        self.reason = reason
        self.headers = headers
        body = []
    }

    /// The status and the headers, without the body.
    static func head(_ reader: inout ByteReader) throws(ControlError) -> HTTPReply {
        while true {
            let (status, reason) = try statusLine(try reader.line())
            let headers = try fields(&reader)
            guard (100..<200).contains(status) else {
                return HTTPReply(status: status, reason: reason, headers: headers)
            }
        }
    }

    /// The body of a reply whose head was read.
    mutating func readBody(_ reader: inout ByteReader) throws(ControlError) {
        if headers["transfer-encoding"]?.lowercased() == "chunked" {
            body = try Self.chunks(&reader)
        } else if let text = headers["content-length"] {
            guard let length = Int(text), (0...Self.maximumBody).contains(length) else {
                throw .malformedReply("Content-Length \(text)")
            }
            body = try reader.bytes(length)
        } else {
            body = try reader.rest(atMost: Self.maximumBody)
        }
    }

    private static func statusLine(
        _ line: String
    ) throws(ControlError) -> (status: Int, reason: String) {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]),
            (100..<600).contains(status)
        else { throw .malformedReply("starts with \(line.prefix(40))") }
        return (status, parts.count > 2 ? String(parts[2]) : "")
    }

    private static func fields(_ reader: inout ByteReader) throws(ControlError) -> [String: String]
    {
        var fields: [String: String] = [:]
        for _ in 0..<100 {
            let line = try reader.line()
            guard !line.isEmpty else { return fields }
            guard let colon = line.firstIndex(of: ":") else {
                throw .malformedReply("header \(line.prefix(40))")
            }
            let value = line[line.index(after: colon)...]
            fields[line[..<colon].lowercased()] = value.trimmed
        }
        throw .malformedReply("more than 100 headers")
    }

    /// RFC 9112 section 7.1. Trailers are read and dropped.
    private static func chunks(_ reader: inout ByteReader) throws(ControlError) -> [UInt8] {
        var body: [UInt8] = []
        while let chunk = try chunk(&reader, atMost: maximumBody - body.count) { body += chunk }
        return body
    }

    /// The next chunk; nil after the last.
    static func chunk(
        _ reader: inout ByteReader, atMost limit: Int
    ) throws(ControlError) -> [UInt8]? {
        let line = try reader.line()
        let size = line.prefix { $0 != ";" }.trimmed
        guard let count = Int(size, radix: 16), (0...limit).contains(count) else {
            throw .malformedReply("chunk of size \(size.prefix(20))")
        }
        guard count > 0 else {
            _ = try fields(&reader)
            return nil
        }
        let bytes = try reader.bytes(count)
        guard try reader.line().isEmpty else { throw .malformedReply("chunk without an end") }
        return bytes
    }
}

extension Substring {
    /// Without the blanks around it.
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}

/// Takes lines and counted bytes from a stream that arrives in pieces.
package struct ByteReader {
    private static let maximumLine = 1 << 16

    private var buffer: [UInt8] = []
    private var position = 0
    private let more: () throws(ControlError) -> [UInt8]?

    /// `more` gives the next piece, nil at the stream's end.
    package init(more: @escaping () throws(ControlError) -> [UInt8]?) {
        self.more = more
    }

    /// Up to the next line feed, without it and a carriage return before it.
    mutating func line() throws(ControlError) -> String {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                var line = buffer[position..<end]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                position = end + 1
                return String(decoding: line, as: UTF8.self)
            }
            guard buffer.count - position <= Self.maximumLine else {
                throw .malformedReply("a line of more than \(Self.maximumLine) bytes")
            }
            let taken = buffer.count - position
            guard try fill() else { throw .malformedReply("ends within its head") }
            searched = position + taken
        }
    }

    mutating func bytes(_ count: Int) throws(ControlError) -> [UInt8] {
        while buffer.count - position < count {
            guard try fill() else {
                throw .malformedReply(
                    "ends after \(buffer.count - position) of \(count) bytes of its body")
            }
        }
        defer { position += count }
        return Array(buffer[position..<position + count])
    }

    mutating func rest(atMost limit: Int) throws(ControlError) -> [UInt8] {
        while try fill() {
            guard buffer.count - position <= limit else {
                throw .malformedReply("a body of more than \(limit) bytes")
            }
        }
        return Array(buffer[position...])
    }

    /// False at the stream's end.
    private mutating func fill() throws(ControlError) -> Bool {
        guard let piece = try more() else { return false }
        buffer.removeFirst(position)
        position = 0
        buffer += piece
        return true
    }
}
