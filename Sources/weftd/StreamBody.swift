import FlyingFox
import FlyingSocks

/// The body of a reply that goes on for as long as somebody reads it: pieces of bytes as they come.
struct StreamBody<Pieces: AsyncSequence & Sendable>: AsyncBufferedSequence, Sendable
where Pieces.Element == [UInt8] {
    typealias Element = UInt8

    let pieces: Pieces

    func makeAsyncIterator() -> Iterator { Iterator(pieces: pieces.makeAsyncIterator()) }

    struct Iterator: AsyncBufferedIteratorProtocol {
        var pieces: Pieces.AsyncIterator

        mutating func next() async throws -> UInt8? {
            // The server asks for whole pieces only.
            throw SocketError.disconnected
        }

        /// The next piece, however large: how much at a time is for whoever makes them to decide.
        mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? {
            while let piece = try await pieces.next() {
                // An empty chunk would end the body.
                if !piece.isEmpty { return piece }
            }
            return nil
        }
    }
}

extension HTTPResponse {
    /// A reply that goes on, in chunks.
    static func stream<Pieces: AsyncSequence & Sendable>(
        _ type: String, _ pieces: Pieces
    ) -> HTTPResponse where Pieces.Element == [UInt8] {
        HTTPResponse(
            statusCode: .ok,
            headers: [.contentType: type],
            body: HTTPBodySequence(from: StreamBody(pieces: pieces)))
    }
}
