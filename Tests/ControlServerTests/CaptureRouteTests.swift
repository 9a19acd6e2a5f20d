import ControlAPI
import Foundation
import Testing
import weftd

@Suite("Captures over the API")
struct CaptureRouteTests {
    /// Runs `body` with a client of a server that has captures and nothing else.
    private func withClient(
        _ body: @escaping @Sendable (ControlClient, FixedCaptures) throws -> Void
    ) async throws {
        let captures = FixedCaptures()
        try await withDirectory { directory in
            let socket = directory + "/weft.sock"
            let server = ControlServer(
                socket: socket, mode: 0o600, group: "0", routes: captureRoutes(captures),
                logger: quiet)
            let client = ControlClient(socket: socket, timeoutSeconds: 10)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await server.run() }
                while (try? client.probe()) == nil { try await Task.sleep(for: .milliseconds(5)) }
                try await blocking { try body(client, captures) }
                tasks.cancelAll()
            }
        }
    }

    @Test("a capture's reply says where it is, and goes on until it ends") func begins()
        async throws
    {
        try await withClient { client, captures in
            var request = CaptureRequest()
            request.port = "vm1"
            request.drops = true
            request.filter = [FilterInstruction(code: 6, jumpTrue: 1, jumpFalse: 2, k: .max)]
            let body = try JSON.encode(request)
            #expect(String(decoding: body, as: UTF8.self).contains("[[6,1,2,4294967295]]"))
            var stream = try client.stream("POST", "/v1/captures", body: body)
            #expect(stream.headers["location"] == "/v1/captures/7")
            #expect(stream.headers["content-type"] == "application/x-pcapng")
            var bytes: [UInt8] = []
            while let piece = try stream.next() { bytes += piece }
            #expect(bytes == [1, 2, 3, 4])
            #expect(captures.requests == [request])
        }
    }

    @Test(
        "what makes no sense is refused, with words",
        arguments: [
            ("", "not valid JSON"), ("{\"prot\": \"a\"}", "unknown key `prot`"),
            ("{\"count\": \"a\"}", "count"), ("{\"filter\": [[6, 0, 0]]}", "filter"),
            ("{\"filter\": [[65536, 0, 0, 0]]}", "filter"),
        ])
    func refused(_ body: String, _ words: String) async throws {
        try await withClient { client, captures in
            let reply = try client.send("POST", "/v1/captures", body: Array(body.utf8))
            #expect(reply.status == 400)
            let error = try JSON.decode(ErrorReply.self, from: reply.body).error
            #expect(error.hasPrefix("no capture: ") && error.contains(words), "\(error)")
            #expect(captures.requests.isEmpty)
        }
    }

    @Test("captures are listed and ended") func listed() async throws {
        try await withClient { client, captures in
            let list = try JSON.decode(CaptureList.self, from: client.get("/v1/captures"))
            #expect(list.captures == captures.captures())
            #expect(try client.send("DELETE", "/v1/captures/7").status == 204)
            for id in ["8", "seven", "-1"] {
                #expect(try client.send("DELETE", "/v1/captures/\(id)").status == 404)
            }
        }
    }
}
