// What is done to the bytes of a frame: parse, checksum, hash.

import TestFrames
import Wire

extension Workload {
    static let parse = Workload("parse", unit: "frame", operations: 16384) {
        let frames = FrameMemory(Conversation.small(256))
        return { operations in
            var parsed = 0
            for index in 0..<operations {
                let layout = FrameLayout.parse(frames[index & 255], length: frames.length)
                if layout?.transport == .udp { parsed &+= 1 }
            }
            return parsed
        }
    }

    static let flowHash = Workload("flow-hash", unit: "frame", operations: 16384) {
        let frames = FrameMemory(Conversation.small(256))
        let layout = FrameLayout.parse(frames[0], length: frames.length)
        precondition(layout?.transport == .udp)
        return { operations in
            guard let layout else { return 0 }
            var hashes: UInt32 = 0
            for index in 0..<operations { hashes |= FlowHash.of(frames[index & 255], layout) }
            return hashes == 0 ? 0 : operations
        }
    }

    /// From what a header has to the payload of a superframe, in cache.
    static let checksums = [20, 64, 256, 1448, 8948, 65160].map(checksum)

    private static func checksum(_ length: Int) -> Workload {
        Workload(
            "checksum-\(length)", unit: "sum", bytes: length,
            operations: max(16, 1_000_000 / (length + 64))
        ) {
            let bytes = FrameMemory([(0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }])
            let expected = naiveSum(Array(UnsafeRawBufferPointer(start: bytes[0], count: length)))
            return { operations in
                var right = 0
                for _ in 0..<operations {
                    if Checksum.fold(Checksum.sum(bytes[0], length)) == expected { right &+= 1 }
                }
                return right
            }
        }
    }
}
