package import ControlAPI
import FlyingFox
import FlyingSocks
import Foundation
package import Logging

/// Serves the control API on a Unix socket: HTTP with JSON, read-only.
package struct ControlServer: Sendable {
    private let socket: String
    private let mode: UInt32
    private let group: String?
    private let provider: any StatusProvider
    private let logger: Logger
    private let whenReady: @Sendable () -> Void

    /// A server for `socket`, whose permission bits become `mode` and whose group becomes
    /// `group` (a name or a number; nil = `weft` where that group exists).
    package init(
        socket: String, mode: UInt32, group: String?, provider: any StatusProvider,
        logger: Logger, whenReady: @escaping @Sendable () -> Void = {}
    ) {
        self.socket = socket
        self.mode = mode
        self.group = group
        self.provider = provider
        self.logger = logger
        self.whenReady = whenReady
    }

    /// Serves until the task is cancelled, then takes the socket away.
    ///
    /// - Throws: `SocketPlaceError` if the socket cannot be put in its place, for one because
    ///   another daemon answers there; `CancellationError` once cancelled.
    package func run() async throws {
        let place = try SocketPlace(path: socket, mode: mode, group: group)
        let server = HTTPServer(
            address: .unix(path: place.bindPath), logger: .disabled,
            handler: ControlHandler(provider: provider))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            tasks.addTask { try await server.waitUntilListening() }
            // Whichever comes first: that it listens, or why it cannot.
            try await tasks.next()
            try place.publish()
            logger.info("control API ready", metadata: ["socket": "\(socket)"])
            whenReady()
            defer { place.withdraw() }
            do {
                try await tasks.next()
            } catch {
                // What the server says when it is cancelled depends on what it was doing.
                try Task.checkCancellation()
                throw error
            }
        }
    }
}

/// Answers requests: a path has one method, GET.
struct ControlHandler: HTTPHandler {
    let provider: any StatusProvider

    func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard let route = Self.routes[request.path] else {
            let known = Self.routes.keys.sorted().joined(separator: ", ")
            return refusal(.notFound, "no such path: \(request.path); there are \(known)")
        }
        guard request.method == .GET else {
            var reply = refusal(
                .methodNotAllowed, "\(request.path) takes GET, not \(request.method.rawValue)")
            reply.headers[HTTPHeader("Allow")] = "GET"
            return reply
        }
        return try route(provider)
    }

    private typealias Route = @Sendable (any StatusProvider) throws -> HTTPResponse

    private static let routes: [String: Route] = [
        "/v1/status": { json(.ok, try JSON.encode($0.status())) },
        "/v1/endpoints": { json(.ok, try JSON.encode(EndpointList(endpoints: $0.endpoints()))) },
        "/v1/neighbours": {
            json(.ok, try JSON.encode(NeighbourList(neighbours: $0.neighbours())))
        },
        "/metrics": {
            HTTPResponse(
                statusCode: .ok, headers: [.contentType: Prometheus.contentType],
                body: Data(Prometheus.render($0.status()).utf8))
        },
    ]

    private static func json(_ status: HTTPStatusCode, _ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(
            statusCode: status, headers: [.contentType: "application/json"], body: Data(body))
    }

    private func refusal(_ status: HTTPStatusCode, _ message: String) -> HTTPResponse {
        let body = (try? JSON.encode(ErrorReply(error: message))) ?? []
        return Self.json(status, body)
    }
}
