import CLinux
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
        switch begin(virtio, frames, wireBytes, to: port, count: 1, &out) {
        case .begun(let vectors):
            vectors[1] = iovec(iov_base: frame, iov_len: length)
            write(vectors, 2, frames: frames, bytes: length, to: port, isCopy, &out)
        case .refused(let reason):
            out.drop(
                reason, frames: frames, isCopy: isCopy, port: port,
                .to(port: port, frame: frame, length: length))
        }
    }

    /// Writes one of the coalescer's items.
    func deliver(_ index: Int, of coalescer: inout Coalescer, _ out: inout Outlet) {
        let item = coalescer.item(index)
        let port = UInt16(truncatingIfNeeded: item.port)
        switch begin(item.virtio, item.frames, item.wireBytes, to: port, count: item.frames, &out) {
        case .begun(let vectors):
            let count = coalescer.vectors(of: index, into: vectors + 1)
            write(
                vectors, count &+ 1, frames: item.frames, bytes: item.bytes, to: port, false, &out)
        case .refused(let reason):
            let passage =
                out.captures.seesDrops
                ? out.captures.passage(of: index, coalescer, to: port) : nil
            out.drop(reason, frames: item.frames, isCopy: false, port: port, passage)
        }
    }

    /// Whether a write can begin.
    private enum Start {
        /// Vectors for a virtio header, already filled in, and for the frame.
        case begun(UnsafeMutablePointer<iovec>)
        case refused(Drop)
    }

    /// Takes vectors for a virtio header and `count` more.
    @inline(__always)
    private func begin(
        _ virtio: VirtioHeader, _ frames: Int, _ wireBytes: Int, to port: UInt16, count: Int,
        _ out: inout Outlet
    ) -> Start {
        guard ports[Int(port)].isAttached else { return .refused(.portDown) }
        if let limiter = out.view.topology.port(port).pointee.toVM,
            let reason = limiter.pointee.refuses(
                bytes: wireBytes, frames: frames, nanoseconds: WorkerTables.nanoseconds())
        {
            out.view.counters.addPort(port, .overLimitToVM, frames)
            return .refused(reason)
        }
        guard let vectors = out.memory.takeVectors(count &+ 1),
            let header = out.memory.takeScratch(VirtioHeader.length)
        else { return .refused(.outOfMemory) }
        virtio.store(at: header)
        // The last field of a TAP's header, the number of buffers, means nothing here.
        header.storeBytes(of: 0, toByteOffset: 10, as: UInt16.self)
        vectors[0] = iovec(iov_base: header, iov_len: Int(ports[Int(port)].headerLength))
        return .begun(vectors)
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
