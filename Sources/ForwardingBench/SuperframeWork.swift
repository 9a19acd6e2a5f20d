// Cutting superframes, and merging segments into them.

import Forwarding
import Glibc
import TestFrames
import Wire

extension Workload {
    private static let superframePayload = 45 * 1448

    /// From parse to the vectors of all segments, VXLAN headers and checksums included.
    static let segment = Workload(
        "segment-64KiB", unit: "superframe", bytes: superframePayload, operations: 16
    ) {
        let frames = FrameMemory([
            FrameBuilder.ipv4.tcp(
                options: Conversation.timestamps,
                payload: [UInt8](repeating: 0x5a, count: superframePayload), checksum: .partial)
        ])
        let virtio = VirtioHeader(
            flags: VirtioHeader.needsChecksum, segmentation: .tcpv4, segmentSize: 1448,
            checksumStart: 34, checksumOffset: 16)
        let headers = UnsafeMutableRawPointer.allocate(
            byteCount: 64 * SegmentPlan.scratchLength, alignment: 64)
        let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: 128)
        return { operations in
            var right = 0
            for _ in 0..<operations {
                guard let layout = FrameLayout.parse(frames[0], length: frames.length),
                    let plan = try? SegmentPlan.make(frames[0], layout, virtio)
                else { continue }
                let train = plan.emit(
                    0..<plan.count, vxlanHeader: VXLAN.header(vni: 100), headers: headers,
                    vectors: vectors)
                let each = VXLAN.headerLength &+ plan.headerLength
                if train.bytes == superframePayload &+ plan.count &* each { right &+= 1 }
            }
            return right
        }
    }

    /// 64 segments of one stream, parsed, from the first `add` to the last vector.
    static let coalesce = Workload(
        "coalesce-64", unit: "batch", bytes: 64 * 1514, operations: 8
    ) {
        let frames = FrameMemory(Conversation.segments(64))
        let layouts = (0..<frames.count).compactMap {
            FrameLayout.parse(frames[$0], length: frames.length)
        }
        var coalescer = Coalescer(capacity: 64)
        let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: Coalescer.frameLimit)
        return { operations in
            var right = 0
            for _ in 0..<operations {
                for index in 0..<frames.count {
                    _ = coalescer.add(
                        frames[index], length: frames.length, layout: layouts[index], port: 0,
                        takesUDPSuperframes: true)
                }
                // 64 KiB take 45 of them.
                let merged = coalescer.itemCount == 2
                if coalescer.readOut(into: vectors, restoring: frames) == 64, merged {
                    right &+= 1
                }
            }
            return right
        }
    }
}
