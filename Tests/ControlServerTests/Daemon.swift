import Catalog
import ControlAPI
import Foundation
import Synchronization
import weftd

/// A daemon's API without its datapath, and a client of it.
struct Daemon {
    static let configuration = """
        host: a
        underlay: {address: 10.1.0.1}
        peers: [{name: b, address: 10.1.0.2}]
        networks:
          - {name: red, vni: 100, endpoints: [{mac: 02:00:00:00:00:01, ips: [10.0.0.1], peer: b}]}
        ports: [{name: vm1, network: red, kind: tap}]
        """

    /// A port that the configuration has not.
    static let vm2 = #"{"network": "red", "kind": "tap", "macs": ["02:00:00:00:00:09"]}"#

    let client: ControlClient
    let follower: FakeFollower
    let state: DesiredState
    let directory: String

    /// Runs `body`, which may block, against a server whose files are in `directory`.
    static func run<Value: Sendable>(
        in directory: String, _ body: @escaping @Sendable (Daemon) throws -> Value
    ) async throws -> Value {
        let file = directory + "/weft.yaml"
        if !FileManager.default.fileExists(atPath: file) {
            try Data(configuration.utf8).write(to: URL(filePath: file))
        }
        let start = try StartingState(
            file: file, statePath: directory + "/lib/state.json", logger: quiet)
        let follower = FakeFollower()
        let events = EventHub()
        let state = DesiredState(start, follower: follower, events: events, logger: quiet)
        let socket = directory + "/weft.sock"
        let server = ControlServer(
            socket: socket, mode: 0o600, group: "0",
            routes: controlRoutes(state, FixedProvider(), events), logger: quiet)
        let daemon = Daemon(
            client: ControlClient(socket: socket, timeoutSeconds: 10), follower: follower,
            state: state, directory: directory)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            while (try? daemon.client.probe()) == nil {
                try await Task.sleep(for: .milliseconds(5))
            }
            let value = try await blocking { try body(daemon) }
            tasks.cancelAll()
            while await tasks.nextResult() != nil {}
            return value
        }
    }

    static func run<Value: Sendable>(
        _ body: @escaping @Sendable (Daemon) throws -> Value
    ) async throws -> Value {
        try await withDirectory { try await run(in: $0, body) }
    }

    func send(
        _ method: String, _ path: String, _ body: String = "", _ headers: [String: String] = [:]
    ) throws -> HTTPReply {
        try client.send(method, path, body: Array(body.utf8), headers: headers)
    }

    func error(_ reply: HTTPReply) throws -> ErrorReply {
        try JSON.decode(ErrorReply.self, from: reply.body)
    }

    func port(_ name: String) throws -> ObjectReply<PortStatus> {
        try JSON.decode(
            ObjectReply<PortStatus>.self, from: try send("GET", "/v1/ports/\(name)").body)
    }

    var ports: [String] { follower.applied.withLock { $0.last?.ports.map(\.name) ?? [] } }
}
