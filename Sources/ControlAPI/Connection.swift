import Glibc

/// A moment after which nothing is waited for.
struct Deadline {
    let seconds: Int
    private let end: ContinuousClock.Instant

    init(seconds: Int) {
        self.seconds = seconds
        end = .now + .seconds(seconds)
    }

    /// For poll(2), rounded up; 0 once the moment has passed.
    var millisecondsLeft: Int32 {
        let left = ContinuousClock.Instant.now.duration(to: end).components
        let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1
        return Int32(clamping: max(0, milliseconds))
    }
}

/// A stream to a Unix socket. Never waits beyond its deadline.
struct Connection: ~Copyable {
    private let descriptor: Int32
    private let deadline: Deadline

    init(socket path: String, deadline: Deadline) throws(ControlError) {
        // Nothing may throw once `self` is whole: its deinit would close a second time.
        descriptor = try Self.open(path, deadline)
        self.deadline = deadline
    }

    private static func open(_ path: String, _ deadline: Deadline) throws(ControlError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .system(call: "socket", reason: errorText()) }
        // Connecting waits while the daemon's queue is full; the send timeout bounds that.
        var patience = timeval(tv_sec: deadline.seconds, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        do throws(ControlError) {
            try connect(descriptor, to: path, deadline)
        } catch {
            close(descriptor)
            throw error
        }
        // From here on only poll(2) waits.
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        return descriptor
    }

    deinit { close(descriptor) }

    /// What has arrived, at least one byte; nil at the end of the stream. `patience` instead of the
    /// connection's deadline.
    borrowing func read(_ patience: Deadline? = nil) throws(ControlError) -> [UInt8]? {
        while true {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 { return Array(chunk[..<count]) }
            guard count < 0 else { return nil }
            try waitIfNeeded("recv", for: POLLIN, patience ?? deadline)
        }
    }

    borrowing func write(_ bytes: [UInt8]) throws(ControlError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else {
                try waitIfNeeded("send", for: POLLOUT, deadline)
            }
        }
    }

    /// Waits if the call that just failed asked for patience, else throws what it said.
    private borrowing func waitIfNeeded(
        _ call: String, for events: Int32, _ deadline: Deadline
    ) throws(ControlError) {
        if errno == EINTR { return }
        guard errno == EAGAIN else { throw .system(call: call, reason: errorText()) }
        var poll = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let ready = Glibc.poll(&poll, 1, deadline.millisecondsLeft)
        guard ready != 0 else { throw .timeout(seconds: deadline.seconds) }
        guard ready > 0 || errno == EINTR else {
            throw .system(call: "poll", reason: errorText())
        }
    }

    private static func connect(
        _ descriptor: Int32, to path: String, _ deadline: Deadline
    ) throws(ControlError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { target in
            guard bytes.count < target.count, !bytes.isEmpty, !bytes.contains(0) else {
                return false
            }
            target.copyBytes(from: bytes)
            return true
        }
        guard fits else {
            throw .invalidSocket(socket: path, reason: "expected a path of 1...107 bytes")
        }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result != 0 else { return }
        switch errno {
        case ENOENT: throw .notRunning(socket: path, reason: "no such socket")
        case ECONNREFUSED: throw .notRunning(socket: path, reason: "nobody listens on")
        case EAGAIN: throw .timeout(seconds: deadline.seconds)
        case EACCES, EPERM: throw .permissionDenied(socket: path)
        default: throw .invalidSocket(socket: path, reason: errorText())
        }
    }
}

private func errorText() -> String { String(cString: strerror(errno)) }
