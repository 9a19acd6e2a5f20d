import ControlAPI
import FlyingFox
import Foundation
import Logging

/// Answers a request on one path. `names` are the path's parts that the route left open.
typealias Answer =
    @Sendable (_ request: HTTPRequest, _ names: [String]) async throws -> HTTPResponse

/// A path of the API, with what each method on it does.
package struct Route: Sendable {
    /// The path's parts; nil stands for a name that the request gives.
    private let parts: [String?]
    /// As it is written: `/v1/ports/{name}`.
    package let path: String
    let methods: [(method: HTTPMethod, answer: Answer)]
    /// What may stand in the query.
    let queries: Set<String>

    init(_ path: String, queries: Set<String> = [], _ methods: (HTTPMethod, Answer)...) {
        self.path = path
        self.queries = queries
        self.methods = methods
        parts = path.split(separator: "/").map { $0.hasPrefix("{") ? nil : String($0) }
    }

    package var methodNames: [String] { methods.map(\.method.rawValue) }

    /// The names in `path` where this is its route, else nil.
    func match(_ path: [Substring]) -> [String]? {
        guard path.count == parts.count else { return nil }
        var names: [String] = []
        for (given, part) in zip(path, parts) {
            if part == nil {
                names.append(given.removingPercentEncoding ?? String(given))
            } else if part != String(given) {
                return nil
            }
        }
        return names
    }
}

/// Finds the route of each request, and makes replies of refusals.
struct Router: HTTPHandler {
    let routes: [Route]
    let logger: Logger

    func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        do {
            return try await reply(to: request)
        } catch let refusal as Refusal {
            return refusal.response
        } catch {
            logger.error("\(request.method.rawValue) \(request.path): \(error)")
            return Refusal(.internalServerError, "\(error)").response
        }
    }

    private func reply(to request: HTTPRequest) async throws -> HTTPResponse {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: true)
        for route in routes {
            guard let names = route.match(parts) else { continue }
            guard let found = route.methods.first(where: { $0.method == request.method }) else {
                throw Refusal.methodNotAllowed(request, route)
            }
            // A flag that is misspelt must not be as good as none.
            for item in request.query where !route.queries.contains(item.name) {
                throw Refusal(
                    .badRequest,
                    "\(route.path) knows no `\(item.name)` in its query; nothing was changed")
            }
            return try await found.answer(request, names)
        }
        let known = routes.map(\.path).sorted().joined(separator: ", ")
        throw Refusal(.notFound, "no such path: \(request.path); there are \(known)")
    }
}

/// Why a request is not done: a status of 4xx or 5xx, and words for whoever asked.
struct Refusal: Error {
    let status: HTTPStatusCode
    let reply: ErrorReply
    var headers: HTTPHeaders = [:]

    init(_ status: HTTPStatusCode, _ message: String) {
        self.init(status, ErrorReply(error: message))
    }

    init(_ status: HTTPStatusCode, _ reply: ErrorReply) {
        self.status = status
        self.reply = reply
    }

    fileprivate static func methodNotAllowed(_ request: HTTPRequest, _ route: Route) -> Refusal {
        let allowed = route.methods.map(\.method.rawValue).joined(separator: ", ")
        var refusal = Refusal(
            .methodNotAllowed,
            "\(route.path) takes \(allowed), not \(request.method.rawValue)")
        refusal.headers[HTTPHeader("Allow")] = allowed
        return refusal
    }

    var response: HTTPResponse {
        var response = HTTPResponse.json(status, (try? JSON.encode(reply)) ?? [])
        for (header, value) in headers { response.headers[header] = value }
        // What the body still has must not be taken for the next request.
        response.headers[.connection] = "close"
        return response
    }
}

extension HTTPResponse {
    /// A reply of JSON.
    static func json(_ status: HTTPStatusCode, _ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(
            statusCode: status, headers: [.contentType: "application/json"], body: Data(body))
    }

    /// 200 with `value` in JSON.
    static func json(_ value: some Encodable) throws -> HTTPResponse {
        json(.ok, try JSON.encode(value))
    }
}

extension HTTPRequest {
    /// Largest body that is read, in bytes: that of a configuration file.
    static let largestBody = 16 << 20

    /// The body, whole. Throws a `Refusal` if it is larger than any that is wanted.
    var boundedBody: [UInt8] {
        get async throws {
            var bytes: [UInt8] = []
            for try await chunk in bodySequence {
                guard bytes.count + chunk.count <= Self.largestBody else {
                    throw Refusal(
                        .payloadTooLarge,
                        "a body of more than \(Self.largestBody >> 20) MiB; nothing was changed")
                }
                bytes += chunk
            }
            // A body that stops coming ends like one that is whole.
            try Task.checkCancellation()
            if let count = bodySequence.count, count != bytes.count {
                throw Refusal(
                    .badRequest,
                    "\(bytes.count) of \(count) bytes of the body came; nothing was changed")
            }
            return bytes
        }
    }

    /// Whether the query has the flag `name`: without a value, or `true`, or `1`.
    func flag(_ name: String) throws -> Bool {
        guard let item = query.first(where: { $0.name == name }) else { return false }
        switch item.value {
        case "", "true", "1": return true
        case "false", "0": return false
        default:
            throw Refusal(.badRequest, "\(name): found `\(item.value)`, expected true or false")
        }
    }
}
