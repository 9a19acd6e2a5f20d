import ControlAPI
import Foundation
import Logging
import Testing
import weftd

@Suite("The control API's server")
struct ControlServerTests {
    private func server(_ path: String, mode: UInt32 = 0o640) -> ControlServer {
        ControlServer(
            socket: path, mode: mode, group: "0", routes: statusRoutes(FixedProvider()),
            logger: quiet)
    }

    /// Runs `body` with a server on a socket of its own, in a directory that goes away after.
    private func withServer(_ body: (String) async throws -> Void) async throws {
        let directory = NSTemporaryDirectory() + "weft-\(UUID().uuidString.prefix(8))"
        let path = directory + "/weft.sock"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server(path).run() }
            try await waitUntil { FileManager.default.fileExists(atPath: path) }
            try await body(path)
            tasks.cancelAll()
            while let result = await tasks.nextResult() {
                #expect(throws: CancellationError.self) { try result.get() }
            }
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(left == [])
    }

    private func waitUntil(_ condition: () -> Bool) async throws {
        for _ in 0..<500 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("nothing within 5 s")
    }

    @Test("serves status, tables and metrics")
    func routes() async throws {
        try await withServer { path in
            try await blocking {
                let client = ControlClient(socket: path, timeoutSeconds: 5)
                #expect(try client.status() == FixedProvider().status())
                #expect(try client.endpoints() == FixedProvider().endpoints())
                #expect(try client.neighbours() == FixedProvider().neighbours())
                let metrics = String(decoding: try client.get("/metrics"), as: UTF8.self)
                #expect(metrics.contains("weft_drops_total{reason=\"tooBig\"} 4\n"))
            }
        }
    }

    @Test("refuses what it does not know, in JSON")
    func refusals() async throws {
        try await withServer { path in
            try await blocking {
                let client = ControlClient(socket: path, timeoutSeconds: 5)
                let missing = try client.send("GET", "/v2/status")
                #expect(missing.status == 404)
                #expect(missing.headers["content-type"] == "application/json")
                let error = try JSON.decode(ErrorReply.self, from: missing.body).error
                #expect(error.contains("no such path: /v2/status"))
                for method in ["POST", "PUT", "DELETE"] {
                    let reply = try client.send(method, "/v1/status")
                    #expect(reply.status == 405)
                    #expect(reply.headers["allow"] == "GET")
                }
                #expect(
                    throws: ControlError.refused(
                        status: 404,
                        message: "no such path: /x; there are /metrics, /v1/endpoints, "
                            + "/v1/neighbours, /v1/status")
                ) { try client.get("/x") }
            }
        }
    }

    @Test("the socket has its mode and group")
    func permissions() async throws {
        try await withServer { path in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o640)
            #expect(attributes[.groupOwnerAccountID] as? Int == 0)
            let directory = URL(filePath: path).deletingLastPathComponent().path
            try await waitUntil {
                (try? FileManager.default.contentsOfDirectory(atPath: directory)) == ["weft.sock"]
            }
        }
    }

    @Test("a second server leaves the first alone")
    func inUse() async throws {
        try await withServer { path in
            await #expect(throws: SocketPlaceError.inUse(path: path)) {
                try await server(path).run()
            }
            let first = try await blocking { try ControlClient(socket: path).status() }
            #expect(first.host == "host-a")
        }
    }

    @Test("a socket that was left behind is replaced, anything else is not")
    func stale() async throws {
        try await withServer { path in
            // The name of a socket outlives its daemon: so does a copy of the name.
            let stale = path + ".stale"
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await server(stale).run() }
                try await waitUntil { FileManager.default.fileExists(atPath: stale) }
                try FileManager.default.linkItem(atPath: stale, toPath: stale + "2")
                tasks.cancelAll()
            }
            // A program that another test starts just now may hold the listening socket until it
            // executes.
            try await waitUntil { (try? ControlClient(socket: stale + "2").probe()) == nil }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await server(stale + "2").run() }
                let client = ControlClient(socket: stale + "2")
                try await waitUntil { (try? client.probe()) != nil }
                let host = try await blocking { try client.status().host }
                #expect(host == "host-a")
                tasks.cancelAll()
            }

            let file = path + ".txt"
            try Data().write(to: URL(filePath: file))
            await #expect(throws: SocketPlaceError.notASocket(path: file)) {
                try await server(file).run()
            }
            try FileManager.default.removeItem(atPath: file)
        }
    }

    @Test("an unknown group is refused before anything is touched")
    func unknownGroup() async throws {
        let server = ControlServer(
            socket: "/nowhere/weft.sock", mode: 0o660, group: "nobody-has-this",
            routes: [], logger: quiet)
        await #expect(throws: SocketPlaceError.unknownGroup("nobody-has-this")) {
            try await server.run()
        }
        #expect(!FileManager.default.fileExists(atPath: "/nowhere"))
    }
}
