import Forwarding
import Glibc
import TestFrames
import Wire

/// A frame on its way to a port.
struct Arrival: Equatable {
    var bytes: [UInt8]
    var port: UInt32 = 1
    var takesUDPSuperframes = true
}

/// A delivery: what the port is given.
struct Delivery: Equatable {
    var item: Coalescer.Item
    var bytes: [UInt8]
}

/// Adds frames to a coalescer, reads the items and resets it; again where it was full.
func coalesce(
    _ arrivals: [Arrival], with coalescer: inout Coalescer
) -> [Delivery] {
    var deliveries: [Delivery] = []
    // Each frame in memory of its own and of its exact length.
    let memory = arrivals.map {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: $0.bytes.count, alignment: 1)
        copy.copyBytes(from: $0.bytes)
        return copy
    }
    defer { memory.forEach { $0.deallocate() } }
    for (arrival, frame) in zip(arrivals, memory) {
        guard let layout = FrameLayout.parse(frame.baseAddress!, length: frame.count)
        else { continue }
        func add() -> Bool {
            coalescer.add(
                frame.baseAddress!, length: frame.count, layout: layout, port: arrival.port,
                takesUDPSuperframes: arrival.takesUDPSuperframes)
        }
        if !add() {
            deliveries += takeDeliveries(&coalescer)
            let isTaken = add()
            precondition(isTaken, "an empty coalescer takes a frame")
        }
    }
    return deliveries + takeDeliveries(&coalescer)
}

func coalesce(_ frames: [[UInt8]]) -> [Delivery] {
    var coalescer = Coalescer(capacity: 1024)
    return coalesce(frames.map { Arrival(bytes: $0) }, with: &coalescer)
}

/// Reads all items, twice, since reading must not change what is read; then resets.
private func takeDeliveries(_ coalescer: inout Coalescer) -> [Delivery] {
    let first = readDeliveries(coalescer)
    precondition(first == readDeliveries(coalescer), "a second reading differs")
    coalescer.reset()
    return first
}

private func readDeliveries(_ coalescer: borrowing Coalescer) -> [Delivery] {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: Coalescer.frameLimit) { vectors in
        var deliveries: [Delivery] = []
        for index in 0..<coalescer.itemCount {
            let item = coalescer.item(index)
            let count = coalescer.vectors(of: index, into: vectors.baseAddress!)
            precondition(count == item.frames, "as many vectors as frames")
            let bytes = gather(vectors.baseAddress!, count)
            precondition(bytes.count == item.bytes, "the vectors' bytes are not the item's")
            deliveries.append(Delivery(item: item, bytes: bytes))
        }
        return deliveries
    }
}
