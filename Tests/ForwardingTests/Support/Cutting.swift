import Forwarding
import Glibc
import TestFrames
import Wire

/// Cuts a superframe into frames of their own with `SegmentPlan`, train by train, as the datapath
/// does, and gathers the vectors. With a VXLAN header, each message begins with it.
func cut(
    _ frame: [UInt8], _ virtio: VirtioHeader, vxlanHeader: UInt64? = nil, train: Int = 64
) throws(SegmentRefusal) -> [[UInt8]] {
    // Exactly as many bytes as the frame has, so that a read past them is one past the heap's.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: frame)
    guard let layout = FrameLayout.parse(copy.baseAddress!, length: frame.count) else { return [] }
    let plan = try SegmentPlan.make(copy.baseAddress!, layout, virtio)
    var messages: [[UInt8]] = []
    for first in stride(from: 0, to: plan.count, by: train) {
        messages += emit(plan, first..<min(first + train, plan.count), vxlanHeader)
    }
    return messages
}

/// Emits one range and cuts its bytes at the length of the first message, as the kernel does with
/// a UDP_SEGMENT train.
func emit(_ plan: SegmentPlan, _ range: Range<Int>, _ vxlanHeader: UInt64?) -> [[UInt8]] {
    let scratch = UnsafeMutableRawPointer.allocate(
        byteCount: range.count * SegmentPlan.scratchLength, alignment: 8)
    let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: range.count * 2)
    defer {
        scratch.deallocate()
        vectors.deallocate()
    }
    let emitted = plan.emit(range, vxlanHeader: vxlanHeader, headers: scratch, vectors: vectors)
    let bytes = gather(vectors, emitted.vectors)
    precondition(bytes.count == emitted.bytes, "the vectors' bytes are not the reported ones")
    let prefix = vxlanHeader == nil ? 0 : VXLAN.headerLength
    let message = prefix + plan.headerLength + min(plan.segmentSize, plan.payloadLength)
    return stride(from: 0, to: bytes.count, by: message).map {
        Array(bytes[$0..<min($0 + message, bytes.count)])
    }
}

/// The bytes that vectors refer to, one after the other.
func gather(_ vectors: UnsafePointer<iovec>, _ count: Int) -> [UInt8] {
    (0..<count).flatMap {
        UnsafeRawBufferPointer(start: vectors[$0].iov_base, count: vectors[$0].iov_len)
    }
}

extension FrameBuilder {
    /// What a port says of a superframe of this builder.
    func virtio(
        _ segmentation: VirtioHeader.Segmentation? = nil, size: Int, udp: Bool = false
    ) -> VirtioHeader {
        let start = 14 + 4 * tags.count + (isIPv6 ? 40 : 20 + ipv4Options.count)
        return VirtioHeader(
            flags: VirtioHeader.needsChecksum,
            segmentation: segmentation ?? (udp ? .udp : isIPv6 ? .tcpv6 : .tcpv4),
            headerLength: 3, segmentSize: UInt16(size), checksumStart: UInt16(start),
            checksumOffset: udp ? 6 : 16)
    }
}

/// Payload in pieces of `size`, the last one shorter.
func pieces(_ payload: [UInt8], _ size: Int) -> [[UInt8]] {
    if payload.isEmpty { return [[]] }
    return stride(from: 0, to: payload.count, by: size).map {
        Array(payload[$0..<min($0 + size, payload.count)])
    }
}

/// The segments as a sender without offloads would have built them.
func naiveTCP(
    _ builder: FrameBuilder, _ payload: [UInt8], size: Int, sequence: UInt32, flags: UInt8,
    options: [UInt8] = []
) -> [[UInt8]] {
    let parts = pieces(payload, size)
    return parts.enumerated().map { index, part in
        var flags = flags
        if index < parts.count - 1 { flags &= ~0x09 }
        if index > 0 { flags &= ~0x80 }
        var builder = builder
        builder.identification &+= UInt16(index)
        return builder.tcp(
            sequence: sequence &+ UInt32(index * size), flags: flags, options: options,
            payload: part)
    }
}

func naiveUDP(_ builder: FrameBuilder, _ payload: [UInt8], size: Int) -> [[UInt8]] {
    pieces(payload, size).enumerated().map { index, part in
        var builder = builder
        builder.identification &+= UInt16(index)
        return builder.udp(payload: part)
    }
}
