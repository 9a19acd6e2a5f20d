import Testing
import Uring

@testable import Datapath

/// The window of buffers that the kernel is lent follows what turns are made of.
@Suite("Receive buffers")
struct ReceiveBuffersTests {
    private static let count = 64

    /// Runs turns in each of which the kernel fills every buffer that it has with `bytes`.
    /// - Returns: how many it had in each.
    private func turns(
        _ turns: Int, bytes: Int32, of buffers: inout ReceiveBuffers
    ) -> [Int] {
        (0..<turns).map { _ in
            let taken = (0..<Self.count).count { buffers.take(UInt16($0), bytes: bytes) }
            buffers.recycle()
            return taken
        }
    }

    private func withBuffers(_ body: (inout ReceiveBuffers) -> Void) throws {
        let ring = try Ring(entries: 8, completionEntries: 8)
        var buffers = ReceiveBuffers(
            try BufferRing(
                ring: ring, group: 1, count: Self.count, stride: 4096, prefault: false,
                published: false))
        body(&buffers)
    }

    @Test("Small frames get more buffers until they have all")
    func growsWithFrames() throws {
        try withBuffers { buffers in
            let windows = turns(4, bytes: 64, of: &buffers)
            #expect(windows == [16, 32, 64, 64])
        }
    }

    @Test("Bulk keeps no more than twice the bytes of a turn that fits the cache")
    func shrinksWithBytes() throws {
        try withBuffers { buffers in
            let superframes = turns(4, bytes: 64 << 10, of: &buffers)
            #expect(superframes.first == 16)
            #expect(superframes.last == 2 * ReceiveBuffers.turnBytes / (64 << 10))
            // And gives them back to small frames.
            let windows = turns(5, bytes: 64, of: &buffers)
            #expect(windows.last == Self.count)
        }
    }

    @Test("It never shrinks below its smallest")
    func smallest() throws {
        try withBuffers { buffers in
            let window = turns(8, bytes: 1 << 20, of: &buffers).last
            #expect(window == ReceiveBuffers.smallestWindow)
        }
    }

    @Test("A request that ends for want of a buffer gets more at once, but not for bulk")
    func growsOnDemand() throws {
        try withBuffers { buffers in
            let lent = (0..<17).map { buffers.take(UInt16($0), bytes: 64) }
            #expect(lent == Array(repeating: true, count: 16) + [false])
            buffers.grow()
            let grown = buffers.take(16, bytes: 512 << 10)
            #expect(grown)
            let window = buffers.window
            buffers.recycle()
            _ = buffers.take(0, bytes: 512 << 10)
            buffers.grow()
            #expect(buffers.window <= window)
        }
    }

    @Test("A quiet while halves the window")
    func shrinksWithTime() throws {
        try withBuffers { buffers in
            _ = turns(2, bytes: 64, of: &buffers)
            let before = buffers.window
            for _ in 0..<600 {
                var id: UInt16 = 0
                while !buffers.take(id, bytes: 64) { id += 1 }
                buffers.recycle()
            }
            #expect(buffers.window == before / 4)
        }
    }
}
