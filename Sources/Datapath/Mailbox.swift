import CLinux
import Glibc
import Synchronization

/// What other threads ask of a worker. Written by the control thread, read by the worker.
final class Mailbox: Sendable {
    /// A worker's queue of a port. The descriptor stays open until the port was detached.
    struct Queue: Sendable {
        var file: Int32
        var reading: PortReading
        var headerLength: UInt8
    }

    enum Request: Sendable {
        case attach(UInt16, Queue)
        case detach(UInt16)
        case resume
        /// Begin to read: all that was there at the start is attached.
        case begin
        /// Which captures run from now on; acknowledged.
        case captures([CaptureTap])
        case stop
    }

    /// Readable when there is mail.
    let eventFile: Int32
    private let requests = Mutex<[Request]>([])
    private let acknowledged = Atomic<Int>(0)

    init() {
        eventFile = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    }

    deinit { close(eventFile) }

    func post(_ request: Request) {
        requests.withLock { $0.append(request) }
        eventfd_write(eventFile, 1)
    }

    /// The worker's end: all that was asked since the last call.
    func take() -> [Request] {
        var value: eventfd_t = 0
        eventfd_read(eventFile, &value)
        return requests.withLock { requests in
            defer { requests.removeAll() }
            return requests
        }
    }

    /// The worker has let go of a descriptor.
    func acknowledge() { acknowledged.wrappingAdd(1, ordering: .releasing) }

    /// How often it has.
    var acknowledgements: Int { acknowledged.load(ordering: .acquiring) }
}
