/// Asks a daemon over its Unix socket. Blocking: made for a command line.
public struct ControlClient: Sendable {
    /// Where a daemon listens unless configured otherwise.
    public static let defaultSocket = "/run/weft/weft.sock"

    /// Path of the socket.
    public var socket: String
    /// How long a request may take from connecting to the last byte.
    public var timeoutSeconds: Int

    /// A client of the daemon behind `socket`.
    public init(socket: String = defaultSocket, timeoutSeconds: Int = 10) {
        self.socket = socket
        self.timeoutSeconds = timeoutSeconds
    }

    /// The body of the reply to `GET path`.
    ///
    /// - Throws: `ControlError.refused` for any status but 200, others if there was no reply.
    public func get(_ path: String) throws(ControlError) -> [UInt8] {
        let reply = try send("GET", path)
        guard reply.status == 200 else {
            let message = (try? JSON.decode(ErrorReply.self, from: reply.body))?.error
            throw .refused(status: reply.status, message: message ?? reply.reason)
        }
        return reply.body
    }

    /// Connects and hangs up. Throws `ControlError.notRunning` if nobody listens.
    public func probe() throws(ControlError) {
        _ = try Connection(socket: socket, deadline: Deadline(seconds: timeoutSeconds))
    }

    /// The host's status.
    public func status() throws(ControlError) -> Status {
        try decode(Status.self, from: get("/v1/status"))
    }

    /// The endpoint table.
    public func endpoints() throws(ControlError) -> [EndpointEntry] {
        try decode(EndpointList.self, from: get("/v1/endpoints")).endpoints
    }

    /// The neighbour table.
    public func neighbours() throws(ControlError) -> [NeighbourEntry] {
        try decode(NeighbourList.self, from: get("/v1/neighbours")).neighbours
    }

    /// One request on a connection of its own, and the reply, whatever its status.
    package func send(
        _ method: String, _ path: String, body: [UInt8]? = nil, headers: [String: String] = [:]
    ) throws(ControlError) -> HTTPReply {
        let connection = try Connection(
            socket: socket, deadline: Deadline(seconds: timeoutSeconds))
        var lines = [
            "\(method) \(path) HTTP/1.1", "Host: weftd", "Accept: */*", "Connection: close",
        ]
        lines += headers.map { "\($0.key): \($0.value)" }
        if let body { lines.append("Content-Length: \(body.count)") }
        let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
        try connection.write(Array(head.utf8) + (body ?? []))
        var reader = ByteReader { () throws(ControlError) in try connection.read() }
        return try HTTPReply(from: &reader, hasBody: method != "HEAD")
    }

    private func decode<Value: Decodable>(
        _: Value.Type, from body: [UInt8]
    ) throws(ControlError) -> Value {
        do {
            return try JSON.decode(Value.self, from: body)
        } catch {
            throw .malformedReply("\(error)")
        }
    }
}
