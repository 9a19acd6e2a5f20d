import Forwarding
import Glibc
import Wire

/// From frames to writes into ports.
struct Deliverer: ~Copyable {
    /// The worker's queue of each port, by the port's index.
    let ports: UnsafeMutablePointer<WorkerPort>
    let capacity: Int
    /// No port at or above this index was ever attached.
    var used = 0

    init(capacity: Int) {
        self.capacity = capacity
        ports = .allocate(capacity: capacity)
        ports.initialize(repeating: WorkerPort(), count: capacity)
    }

    deinit { ports.deallocate() }

    /// Writes one frame or superframe behind a virtio header. It stands for `frames` frames of
    /// `wireBytes` bytes together.
    func deliver(
        _ frame: UnsafeMutableRawPointer, length: Int, _ virtio: VirtioHeader, frames: Int,
        wireBytes: Int, to port: UInt16, isCopy: Bool, _ out: inout Outlet
    ) {
        guard let vectors = begin(virtio, frames, wireBytes, to: port, count: 1, isCopy, &out)
        else { return }
        vectors[1] = iovec(iov_base: frame, iov_len: length)
        write(vectors, 2, frames: frames, bytes: length, to: port, isCopy, &out)
    }

    /// Writes one of the coalescer's items.
    func deliver(_ index: Int, of coalescer: inout Coalescer, _ out: inout Outlet) {
        let item = coalescer.item(index)
        let port = UInt16(truncatingIfNeeded: item.port)
        guard
            let vectors = begin(
                item.virtio, item.frames, item.wireBytes, to: port, count: item.frames, false,
                &out)
        else { return }
        let count = coalescer.vectors(of: index, into: vectors + 1)
        write(vectors, count &+ 1, frames: item.frames, bytes: item.bytes, to: port, false, &out)
    }

    /// Vectors for a virtio header, already filled in, and `count` more. Nil if it was dropped.
    @inline(__always)
    private func begin(
        _ virtio: VirtioHeader, _ frames: Int, _ wireBytes: Int, to port: UInt16, count: Int,
        _ isCopy: Bool, _ out: inout Outlet
    ) -> UnsafeMutablePointer<iovec>? {
        guard ports[Int(port)].isAttached else {
            out.drop(.portDown, frames: frames, isCopy: isCopy, port: port)
            return nil
        }
        if let limiter = out.view.topology.port(port).pointee.toVM,
            let reason = limiter.pointee.refuses(
                bytes: wireBytes, frames: frames, nanoseconds: WorkerTables.nanoseconds())
        {
            out.view.counters.addPort(port, .overLimitToVM, frames)
            out.drop(reason, frames: frames, isCopy: isCopy, port: port)
            return nil
        }
        guard let vectors = out.memory.takeVectors(count &+ 1),
            let header = out.memory.takeScratch(VirtioHeader.length)
        else {
            out.drop(.outOfMemory, frames: frames, isCopy: isCopy, port: port)
            return nil
        }
        virtio.store(at: header)
        // The last field of a TAP's header, the number of buffers, means nothing here.
        header.storeBytes(of: 0, toByteOffset: 10, as: UInt16.self)
        vectors[0] = iovec(iov_base: header, iov_len: Int(ports[Int(port)].headerLength))
        return vectors
    }

    @inline(__always)
    private func write(
        _ vectors: UnsafeMutablePointer<iovec>, _ count: Int, frames: Int, bytes: Int,
        to port: UInt16, _ isCopy: Bool, _ out: inout Outlet
    ) {
        let operation = Operation(
            kind: .deliver, isCopy: isCopy, target: port,
            frames: UInt32(truncatingIfNeeded: frames), bytes: UInt32(truncatingIfNeeded: bytes))
        out.write(operation, file: ports[Int(port)].file, vectors: vectors, count: count)
    }

    /// Notes that a read has ended. False if it was one of an earlier attachment.
    @inline(__always)
    func noteRead(_ tag: RequestTag, isOver: Bool, result: Int32) -> Bool {
        guard tag.index < capacity else { return false }
        let port = ports + tag.index
        guard port.pointee.generation & 0xff_ffff == tag.generation, port.pointee.isAttached else {
            return false
        }
        if isOver { port.pointee.readEnded(result) }
        return true
    }
}
