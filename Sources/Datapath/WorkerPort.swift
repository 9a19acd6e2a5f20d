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
    /// The last read failed: the interface is down or gone. Reading goes on when the control
    /// thread says that it is back.
    var isParked = false

    @inline(__always)
    var isAttached: Bool { file >= 0 }

    /// A read has ended: it is prepared again, unless it would fail again at once.
    @inline(__always)
    mutating func readEnded(_ result: Int32) {
        if result < 0, result != -ENOBUFS, result != -EAGAIN, result != -EINTR {
            isParked = true
        }
        readsToArm &+= 1
    }
}
