import ControlAPI
import Testing

/// Reads `text` as a reply that arrives `step` bytes at a time.
private func reply(
    _ text: String, step: Int = 7, hasBody: Bool = true
) throws(ControlError) -> HTTPReply {
    var rest = Array(text.utf8)[...]
    var reader = ByteReader { () throws(ControlError) in
        guard !rest.isEmpty else { return nil }
        defer { rest = rest.dropFirst(step) }
        return Array(rest.prefix(step))
    }
    return try HTTPReply(from: &reader, hasBody: hasBody)
}

@Suite("Replies of HTTP/1.1")
struct HTTPReplyTests {
    @Test("a body with a length, however it arrives", arguments: [1, 2, 3, 5, 19, 1000])
    func contentLength(step: Int) throws {
        let text = "HTTP/1.1 200 OK\r\ncontent-LENGTH:  5 \r\nX: a:b\r\n\r\nhellomore"
        let reply = try reply(text, step: step)
        #expect(reply.status == 200)
        #expect(reply.reason == "OK")
        #expect(reply.body == Array("hello".utf8))
        #expect(reply.headers["x"] == "a:b")
    }

    @Test("a body in chunks, however it arrives", arguments: [1, 2, 3, 5, 19, 1000])
    func chunked(step: Int) throws {
        let text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
            + "5\r\nhello\r\nA;x=y\r\n, chunked \r\n0\r\nTrailer: t\r\n\r\n"
        #expect(try reply(text, step: step).body == Array("hello, chunked ".utf8))
    }

    @Test("a body up to the end, and none")
    func others() throws {
        #expect(try reply("HTTP/1.0 200 OK\r\n\r\nhello").body == Array("hello".utf8))
        #expect(try reply("HTTP/1.1 204\r\nContent-Length: 5\r\n\r\n").body.isEmpty)
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        #expect(try reply(head, hasBody: false).body.isEmpty)
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        #expect(try reply(interim).status == 200)
    }

    @Test(
        "what is no reply is an error",
        arguments: [
            "", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 9x9 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnocolon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello6\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
            "HTTP/1.1 200 " + String(repeating: "x", count: 100_000),
            "HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 200) + "\r\n",
        ])
    func malformed(text: String) {
        let error = #expect(throws: ControlError.self) { try reply(text, step: 4096) }
        guard case .malformedReply = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
