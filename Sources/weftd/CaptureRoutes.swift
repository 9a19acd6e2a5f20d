package import ControlAPI
package import Datapath
import FlyingFox

/// Who captures packets.
package protocol CaptureProvider: Sendable {
    /// Pieces of a pcapng stream, until it is ended or nobody reads it any more.
    associatedtype Pieces: AsyncSequence & Sendable where Pieces.Element == [UInt8]

    /// Begins a capture. - Throws: `CaptureRefusal`.
    func startCapture(_ request: CaptureRequest) throws -> (id: Int, pieces: Pieces)
    /// The captures that run.
    func captures() -> [CaptureStatus]
    /// Has a capture's stream end; false if there is no such capture.
    func endCapture(_ id: Int) -> Bool
}

/// Packets, as they pass: `POST` begins a capture, and its reply goes on for as long as it does.
package func captureRoutes(_ provider: some CaptureProvider) -> [Route] {
    [
        Route(
            "/v1/captures",
            (.GET, { _, _ in try .json(CaptureList(captures: provider.captures())) }),
            (.POST, { request, _ in try await start(request, provider) })),
        Route(
            "/v1/captures/{id}",
            (
                .DELETE,
                { _, names in
                    guard let id = Int(names[0]), provider.endCapture(id) else {
                        throw Refusal(.notFound, "there is no capture \(names[0])")
                    }
                    return HTTPResponse(statusCode: .noContent)
                }
            )),
    ]
}

private func start(
    _ request: HTTPRequest, _ provider: some CaptureProvider
) async throws -> HTTPResponse {
    let body = try await request.boundedBody
    let wanted: CaptureRequest
    do {
        wanted = try JSON.decode(CaptureRequest.self, from: body)
    } catch {
        throw Refusal(.badRequest, "no capture: \(words(for: error))")
    }
    do {
        let (id, pieces) = try provider.startCapture(wanted)
        var response = HTTPResponse.stream("application/x-pcapng", pieces)
        response.headers[HTTPHeader("Location")] = "/v1/captures/\(id)"
        return response
    } catch let refusal as CaptureRefusal {
        throw Refusal(refusal.status, refusal.description)
    }
}

/// What is wrong with a request's JSON.
private func words(for error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted(let context):
        context.debugDescription
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
        context.codingPath.map(\.stringValue).joined(separator: ".") + ": "
            + context.debugDescription
    default: "\(error)"
    }
}

extension CaptureRefusal {
    fileprivate var status: HTTPStatusCode {
        switch kind {
        case .invalid: .badRequest
        case .notFound: .notFound
        case .tooMany: .serviceUnavailable
        }
    }
}

extension Datapath: CaptureProvider {
    package func startCapture(
        _ request: CaptureRequest
    ) throws -> (id: Int, pieces: CapturePieces) {
        let pieces: CapturePieces = try startCapture(request)
        return (pieces.id, pieces)
    }
}
