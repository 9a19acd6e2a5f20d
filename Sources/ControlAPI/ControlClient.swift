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
        try request("GET", path).body
    }

    /// The reply to a request that is granted.
    ///
    /// - Throws: `ControlError.refused` for any status but 2xx, others if there was no reply.
    package func request(
        _ method: String, _ path: String, body: [UInt8]? = nil, headers: [String: String] = [:]
    ) throws(ControlError) -> HTTPReply {
        let reply = try send(method, path, body: body, headers: headers)
        guard (200..<300).contains(reply.status) else { throw reply.refusal }
        return reply
    }

    /// What the reply to a request that is granted says, and the reply.
    package func ask<Value: Decodable>(
        _: Value.Type, _ method: String, _ path: String, body: [UInt8]? = nil
    ) throws(ControlError) -> (value: Value, reply: HTTPReply) {
        let reply = try request(method, path, body: body)
        return (try decode(Value.self, from: reply.body), reply)
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
        // A change of many things takes its time; nobody should have to guess whether it was made.
        let seconds = method == "GET" ? timeoutSeconds : max(timeoutSeconds, 300)
        let connection = try Connection(socket: socket, deadline: Deadline(seconds: seconds))
        let request = head(method, path, body: body, headers: headers) + (body ?? [])
        // Whoever refuses a body may have hung up before all of it came, and has said why.
        let failure: ControlError?
        do throws(ControlError) {
            try connection.write(request)
            failure = nil
        } catch {
            failure = error
        }
        var reader = ByteReader { () throws(ControlError) in try connection.read() }
        do throws(ControlError) {
            return try HTTPReply(from: &reader, hasBody: method != "HEAD")
        } catch {
            throw failure ?? error
        }
    }

    /// The head of a request (RFC 9112 section 2).
    func head(
        _ method: String, _ path: String, body: [UInt8]?, headers: [String: String]
    ) -> [UInt8] {
        var lines = [
            "\(method) \(path) HTTP/1.1", "Host: weftd", "Accept: */*", "Connection: close",
        ]
        lines += headers.map { "\($0.key): \($0.value)" }
        if let body { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
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

extension HTTPReply {
    /// What a reply says that is no success.
    var refusal: ControlError {
        let message = (try? JSON.decode(ErrorReply.self, from: body))?.error
        return .refused(status: status, message: message ?? reason)
    }
}
