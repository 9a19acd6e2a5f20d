import Glibc

/// How frames are read from a port's queue.
enum PortReading: UInt8 {
    /// A TAP: the buffer holds virtio header and frame.
    case file
    /// A packet socket: the buffer holds a received message; a VLAN tag may lie in its control
    /// part.
    case packetSocket
}

/// A worker's queue of a port.
struct WorkerPort {
    /// The queue's descriptor, -1 while nothing is attached.
    var file: Int32 = -1
    var reading = PortReading.file
    /// Length of the virtio header before each frame, 12 or 10.
    var headerLength: UInt8 = 12
    /// Counts attachments, so that a late completion of an earlier one is told apart.
    var generation: UInt32 = 0
    /// Reads to prepare before the next submission.
    var readsToArm: UInt8 = 0
    /// The last read failed because the interface is down or gone. Reading goes on when the
    /// keeper says so.
    var isParked = false

    @inline(__always)
    var isAttached: Bool { file >= 0 }

    /// Reads that wait at once.
    func reads(multishot: Bool) -> UInt8 {
        multishot || reading == .packetSocket ? 1 : WorkerPort.singleReads
    }

    /// Reads that wait on a port at once where one request reads one frame.
    private static let singleReads: UInt8 = 8

    /// A read has ended: it is prepared again, unless it would fail again at once.
    @inline(__always)
    mutating func readEnded(_ result: Int32) {
        readsToArm &+= 1
        if result < 0, WorkerPort.meansNoInterface(-result) { isParked = true }
    }

    /// Errors of a queue whose interface is down or gone. A TAP gives EIO or EBADFD, a packet
    /// socket ENETDOWN, ENODEV or ENXIO, a closed one EBADF.
    static func meansNoInterface(_ error: Int32) -> Bool {
        switch error {
        case EIO, EBADFD, EBADF, ENETDOWN, ENXIO, ENODEV, EFAULT: true
        default: false
        }
    }

    /// Errors of a read that took no frame from the queue.
    static func meansNoFrame(_ error: Int32) -> Bool {
        switch error {
        case ENOBUFS, EAGAIN, EINTR, ECANCELED, ENOMEM: true
        default: meansNoInterface(error)
        }
    }
}
