import CLinux
import Catalog
import Forwarding
import Glibc
import Ports
import Synchronization
import Uring
import Wire

/// A worker's thread, and what other threads hold of it.
final class WorkerThread: @unchecked Sendable {
    /// What a worker is made of, all of which may be made on any thread.
    struct Parts: Sendable {
        var receiver: UnderlayReceiver
        var transmitter: UnderlayTransmitter
        var underlay: SocketAddress
        var segments: Bool
        var trains: Bool
        var settings: WorkerSettings
        var spinning: Spinner.Mode
        var portCapacity: Int
    }

    let index: Int
    let mailbox = Mailbox()
    let tables: WorkerTables
    /// The CPU that it is pinned to, if it is.
    let cpu: Int?
    private let parts: Parts
    private var thread = pthread_t()
    private let started = Semaphore()
    private let failure = Mutex<UringError?>(nil)

    /// Starts the thread and waits until its ring stands.
    init(_ index: Int, _ parts: Parts, _ tables: WorkerTables, cpu: Int?) throws(UringError) {
        self.index = index
        self.parts = parts
        self.tables = tables
        self.cpu = cpu
        let context = Unmanaged.passRetained(self).toOpaque()
        let refusal = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<WorkerThread>.fromOpaque(context!).takeRetainedValue().main()
                return nil
            }, context)
        guard refusal == 0 else {
            Unmanaged<WorkerThread>.fromOpaque(context).release()
            throw UringError(call: "pthread_create", errno: refusal)
        }
        started.wait()
        if let error = failure.withLock({ $0 }) {
            pthread_join(thread, nil)
            throw error
        }
    }

    /// Messages of the underlay that found its socket full.
    var missedMessages: UInt64 { parts.receiver.missedMessages }

    /// The outer source port that a flow's hash picks.
    func sourcePort(for hash: UInt32) -> UInt16 {
        let ports = parts.transmitter.ports
        return ports[Int(Transmitter.socket(for: hash, of: UInt32(ports.count)))]
    }

    /// Whether a message may be a train of datagrams.
    var segments: Bool { parts.segments && !tables.has(.segmentationRefused) }

    /// Has the workers end, all at once, and waits until they have.
    static func stop(_ workers: [WorkerThread]) {
        for worker in workers { worker.mailbox.post(.stop) }
        for worker in workers { pthread_join(worker.thread, nil) }
    }

    private func main() {
        weft_name_thread("weft-worker-\(index)")
        if let cpu { weft_pin_to_cpu(Int32(cpu)) }
        do throws(UringError) {
            var worker = try makeWorker()
            // What it needs is open. It alone touches what guests and the underlay send.
            _ = weft_keep_capabilities(0)
            started.signal()
            worker.run()
        } catch {
            failure.withLock { $0 = error }
            started.signal()
        }
    }

    /// Buffers of one read or receive: the largest frame or train, and room around it. Not a
    /// multiple of a page, so that the heads of buffers do not share a few cache sets.
    private static let bufferStride = (64 << 10) + (4 << 10) + 192
    static let bufferCount = 256
    /// Lengths of the ring's queues.
    static let submissionEntries: UInt32 = 2048
    static let completionEntries: UInt32 = 16384
    /// Frames of a turn that wait to be merged.
    static let coalescerCapacity = 4096

    private func makeWorker() throws(UringError) -> Worker {
        let ring = try Ring(
            entries: WorkerThread.submissionEntries,
            completionEntries: WorkerThread.completionEntries)
        let portBuffers = try BufferRing(
            ring: ring, group: ReceiveRequests.portGroup, count: WorkerThread.bufferCount,
            stride: WorkerThread.bufferStride, prefault: false, hugePages: true,
            published: false)
        let underlayBuffers = try BufferRing(
            ring: ring, group: ReceiveRequests.underlayGroup, count: WorkerThread.bufferCount,
            stride: WorkerThread.bufferStride, prefault: false, hugePages: true,
            published: false)
        return Worker(
            out: Outlet(
                ring: ring, view: tables.view(),
                captures: CapturePoints(
                    underlay: parts.underlay,
                    sockets: zip(parts.transmitter.sockets, parts.transmitter.ports).map {
                        (socket: $0, port: $1)
                    })),
            portBuffers: ReceiveBuffers(portBuffers),
            underlayBuffers: ReceiveBuffers(underlayBuffers),
            transmitter: Transmitter(
                sockets: parts.transmitter.sockets, destinationPort: parts.underlay.port,
                isIPv6: parts.underlay.address.isIPv6, segments: parts.segments,
                trains: parts.trains),
            deliverer: Deliverer(capacity: parts.portCapacity),
            coalescer: Coalescer(capacity: WorkerThread.coalescerCapacity),
            spinner: Spinner(parts.spinning),
            settings: parts.settings, tables: tables, mailbox: mailbox,
            receives: ReceiveRequests(underlaySocket: parts.receiver.fileDescriptor))
    }
}

/// A POSIX semaphore: started threads answer once.
final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func wait() { while sem_wait(semaphore) != 0, errno == EINTR {} }

    func signal() { sem_post(semaphore) }
}
