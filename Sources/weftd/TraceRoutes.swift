package import ControlAPI
import FlyingFox

/// Who can say what would become of a frame.
package protocol TraceProvider: Sendable {
    /// What would become of it. Nothing is sent, learned or counted.
    /// - Throws: `TraceError` if the request makes no sense.
    func trace(_ request: TraceRequest) throws(TraceError) -> TraceReply
}

/// `POST /v1/trace`.
func traceRoutes(_ provider: any TraceProvider) -> [Route] {
    [Route("/v1/trace", (.POST, { request, _ in try await trace(request, provider) }))]
}

/// The fields of a request. Another one is a slip: what it asks for would not be traced.
private let fields: Set<String> = [
    "port", "peer", "from", "network", "vni", "hex", "dst", "src", "proto", "dport", "length",
    "vlan", "segment",
]

private func trace(
    _ request: HTTPRequest, _ provider: any TraceProvider
) async throws -> HTTPResponse {
    let body = try await request.boundedBody
    let wanted: TraceRequest
    do {
        let tree = try JSON.decode(JSONTree.self, from: body)
        guard case .object(let object) = tree else {
            throw Refusal(.badRequest, "the body is no JSON object")
        }
        if let unknown = object.keys.sorted().first(where: { !fields.contains($0) }) {
            let known = fields.sorted().joined(separator: ", ")
            throw refusal(unknown, "unknown field; there are \(known)")
        }
        wanted = try JSON.decode(TraceRequest.self, from: body)
    } catch let error as DecodingError {
        throw refusal(error)
    }
    do {
        return try .json(provider.trace(wanted))
    } catch let error as TraceError {
        throw refusal(error.field, error.message)
    }
}

private func refusal(_ field: String, _ message: String) -> Refusal {
    Refusal(
        .badRequest,
        ErrorReply(
            error: "\(field): \(message)",
            problems: [RequestProblem(field: field, message: message)]))
}

private func refusal(_ error: DecodingError) -> Refusal {
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context),
        .keyNotFound(_, let context), .dataCorrupted(let context):
        guard let field = context.codingPath.first?.stringValue else {
            return Refusal(.badRequest, "the body makes no sense: \(context.debugDescription)")
        }
        return refusal(field, context.debugDescription)
    @unknown default:
        return Refusal(.badRequest, "the body is not what is expected: \(error)")
    }
}
