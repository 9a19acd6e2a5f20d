import Glibc

/// Tells systemd how the service is (sd_notify(3)): text in a datagram to the socket that the
/// variable NOTIFY_SOCKET names. Without that variable there is nobody to tell.
final class ServiceManager: Sendable {
    private let descriptor: Int32
    private let name: [UInt8]
    /// How often `WATCHDOG=1` has to be told: half of what systemd waits for
    /// (sd_watchdog_enabled(3)).
    let watchdogInterval: Duration?

    /// Nil if nobody wants to hear.
    init?(_ environment: [String: String], processID: Int32 = getpid()) {
        guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@"),
            (2...107).contains(path.utf8.count)
        else { return nil }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        // A name in the abstract namespace begins with a zero byte.
        name = path.hasPrefix("@") ? [0] + path.utf8.dropFirst() : Array(path.utf8)
        let isForUs = environment["WATCHDOG_PID"].map { $0 == "\(processID)" } ?? true
        watchdogInterval = environment["WATCHDOG_USEC"].flatMap(Int64.init).flatMap {
            isForUs && $0 > 0 ? .microseconds($0 / 2) : nil
        }
    }

    deinit { close(descriptor) }

    /// Started, or reloaded.
    func ready(_ status: String) { tell("READY=1\nSTATUS=\(status)") }

    /// The configuration is being read again; `ready` ends it.
    func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        tell("RELOADING=1\nMONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)")
    }

    func stopping() { tell("STOPPING=1") }

    /// All is well; systemd restarts a service that does not say so in time.
    func alive() { tell("WATCHDOG=1") }

    private func tell(_ text: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        var bytes = Array(text.utf8)
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, &bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
