import TestFrames
import Wire

/// Frames in memory of their own, as they lie in a worker's buffers: a slot each, with room in
/// front for what stands before a frame.
struct FrameMemory: ~Copyable {
    /// Room before each frame, bytes.
    static let headroom = 64
    /// More than the headers of any frame here, bytes.
    private static let headersLength = 80

    let count: Int
    let length: Int
    private let stride: Int
    private let memory: UnsafeMutableRawPointer
    private let kept: UnsafeMutableRawPointer

    /// Places frames of one length.
    init(_ frames: [[UInt8]]) {
        precondition(!frames.isEmpty && frames.allSatisfy { $0.count == frames[0].count })
        count = frames.count
        length = frames[0].count
        stride = (Self.headroom + length + 63) & ~63
        memory = .allocate(byteCount: stride * count, alignment: 64)
        kept = .allocate(byteCount: stride * count, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: stride * count)
        for (index, frame) in frames.enumerated() {
            UnsafeMutableRawBufferPointer(start: self[index], count: length)
                .copyBytes(from: frame)
        }
        keep()
    }

    deinit {
        memory.deallocate()
        kept.deallocate()
    }

    /// Remembers the frames as they are now.
    func keep() { kept.copyMemory(from: memory, byteCount: stride * count) }

    /// Makes the headers of the frame at an address what they were when kept.
    @inline(__always)
    func restore(_ frame: UnsafeMutableRawPointer) {
        frame.copyMemory(
            from: kept + (frame - memory), byteCount: min(length, Self.headersLength))
    }

    /// The first byte of a frame.
    @inline(__always)
    subscript(_ index: Int) -> UnsafeMutableRawPointer {
        memory + (index &* stride &+ Self.headroom)
    }
}

/// The conversations that the workloads' frames are of.
enum Conversation {
    /// UDP frames of 64 bytes on the wire: 60 and the check sequence.
    static func small(_ count: Int) -> [[UInt8]] {
        (0..<count).map { index in
            var builder = FrameBuilder.ipv4
            builder.sourcePort = UInt16(20000 + index)
            return builder.udp(payload: [UInt8](repeating: 0x5a, count: 18))
        }
    }

    /// TCP segments of one stream in a row, with the timestamps that Linux sends.
    static func segments(_ count: Int, payload: Int = 1448) -> [[UInt8]] {
        (0..<count).map { index in
            FrameBuilder.ipv4.tcp(
                sequence: UInt32(1 + index * payload), options: timestamps,
                payload: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: payload))
        }
    }

    /// Two no-operations and a timestamps option (RFC 7323 section 3.2).
    static let timestamps: [UInt8] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]
}
