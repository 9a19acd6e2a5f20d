import Capture
import Glibc
import TestFrames

/// Calls `body` with a packet that is cut at these places, each piece in memory of its own.
func withPieces<Result>(
    _ bytes: [UInt8], cuts: [Int] = [], _ body: (PacketPieces) throws -> Result
) rethrows -> Result {
    let edges = [0] + cuts.sorted() + [bytes.count]
    let pieces = zip(edges, edges.dropFirst()).map { start, end in
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, end - start), alignment: 1)
        memory.copyMemory(from: Array(bytes[start..<end]), byteCount: end - start)
        return iovec(iov_base: memory, iov_len: end - start)
    }
    defer { for piece in pieces { piece.iov_base.deallocate() } }
    return try pieces.withUnsafeBufferPointer {
        try body(PacketPieces($0.baseAddress!, count: $0.count))
    }
}

extension SeededGenerator {
    /// Up to four places within `length` bytes, some of them the same or at the ends.
    mutating func cuts(_ length: Int) -> [Int] {
        (0..<below(5)).map { _ in oneIn(2) ? min(length, 14 + below(8)) : below(length + 1) }
    }
}
