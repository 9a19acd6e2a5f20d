package import ControlAPI
import FlyingFox
import FlyingSocks
import Foundation
package import Logging

/// All that the API has.
package func controlRoutes(
    _ state: DesiredState, _ provider: any TableProvider & TraceProvider, _ events: EventHub
) -> [Route] {
    statusRoutes(provider) + objectRoutes(state, provider) + tableRoutes(state, provider)
        + eventRoutes(events) + traceRoutes(provider)
}

/// Serves the control API on a Unix socket: HTTP with JSON.
package struct ControlServer: Sendable {
    /// Seconds that a request may take, its body included: a large change on a slow machine.
    private static let patience = 300.0

    private let socket: String
    private let mode: UInt32
    private let group: String?
    private let routes: [Route]
    private let logger: Logger
    private let whenReady: @Sendable () -> Void

    /// A server for `socket`, whose permission bits become `mode` and whose group becomes
    /// `group` (a name or a number; nil = `weft` where that group exists).
    package init(
        socket: String, mode: UInt32, group: String?, routes: [Route],
        logger: Logger, whenReady: @escaping @Sendable () -> Void = {}
    ) {
        self.socket = socket
        self.mode = mode
        self.group = group
        self.routes = routes
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
            address: .unix(path: place.bindPath), timeout: Self.patience, logger: .disabled,
            handler: Router(routes: routes, logger: logger))
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
