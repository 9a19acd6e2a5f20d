/// The body of a reply that goes on for as long as somebody reads it, in chunks. Blocking.
package struct ReplyStream {
    /// Most bytes that a chunk may have.
    private static let maximumChunk = 64 << 20

    /// The reply's headers, by name in lower case.
    package let headers: [String: String]
    private var reader: ByteReader
    private var hasEnded = false

    fileprivate init(_ headers: [String: String], _ reader: ByteReader) {
        self.headers = headers
        self.reader = reader
    }

    /// The next chunk, at least a byte; nil once the daemon has ended the reply.
    ///
    /// - Throws: `ControlError.timeout` if nothing comes for long, others if the daemon is gone.
    package mutating func next() throws(ControlError) -> [UInt8]? {
        guard !hasEnded else { return nil }
        if let chunk = try HTTPReply.chunk(&reader, atMost: Self.maximumChunk) { return chunk }
        hasEnded = true
        return nil
    }
}

extension ControlClient {
    /// Asks for a reply that goes on. Where the daemon refuses it throws what `request` would.
    /// `silence`: how many seconds may pass without a byte.
    package func stream(
        _ method: String, _ path: String, body: [UInt8]? = nil, silence: Int = 60
    ) throws(ControlError) -> ReplyStream {
        let connection = SharedConnection(
            try Connection(socket: socket, deadline: Deadline(seconds: timeoutSeconds)))
        try connection.value.write(head(method, path, body: body, headers: [:]) + (body ?? []))
        var reader = ByteReader { () throws(ControlError) in
            try connection.value.read(Deadline(seconds: silence))
        }
        var reply = try HTTPReply.head(&reader)
        guard (200..<300).contains(reply.status) else {
            try reply.readBody(&reader)
            throw reply.refusal
        }
        guard reply.headers["transfer-encoding"]?.lowercased() == "chunked" else {
            throw .malformedReply("a stream that is not in chunks")
        }
        return ReplyStream(reply.headers, reader)
    }
}

/// A connection that a closure keeps open.
private final class SharedConnection {
    let value: Connection

    init(_ value: consuming Connection) { self.value = value }
}
