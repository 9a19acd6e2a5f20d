import CLinux
import Glibc
import Ports

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
        // Who does not listen any more does not hold us up.
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
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

    private func tell(_ text: String, with descriptors: [Int32] = []) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        var bytes = Array(text.utf8)
        _ = weft_send_descriptors(
            descriptor, &address, length, &bytes, bytes.count, descriptors,
            UInt32(descriptors.count))
    }
}

// MARK: - The descriptor store

extension ServiceManager {
    /// What systemd keeps for us over a restart (FileDescriptorStoreMax= in systemd.service(5)),
    /// with what it has kept.
    func descriptorStore(_ environment: [String: String]) -> DescriptorStore {
        DescriptorStore(inherited: Self.inherited(environment)) { [self] request in
            switch request {
            case .keep(let name, let descriptors):
                // Not looked at meanwhile: systemd would let go of the sockets of an interface
                // that is down (FDPOLL).
                let message = "FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)"
                for start in stride(from: 0, to: descriptors.count, by: Self.mostPerMessage) {
                    tell(
                        message, with: Array(descriptors[start...].prefix(Self.mostPerMessage)))
                }
            case .release(let name):
                tell("FDSTOREREMOVE=1\nFDNAME=\(name)")
                awaitAll()
            }
        }
    }

    /// SCM_MAX_FD of the kernel.
    private static let mostPerMessage = 253

    /// Waits until systemd has done what it was told (sd_notify_barrier(3)), for two seconds at
    /// most: it closes the descriptor that it is sent when it has come to that.
    private func awaitAll() {
        var ends: [Int32] = [-1, -1]
        guard weft_pipe(&ends) == 0 else { return }
        tell("BARRIER=1", with: [ends[1]])
        close(ends[1])
        var event = pollfd(fd: ends[0], events: 0, revents: 0)
        _ = poll(&event, 1, 2000)
        close(ends[0])
    }

    /// The descriptors that systemd hands over (sd_listen_fds(3)), by name.
    static func inherited(
        _ environment: [String: String], processID: Int32 = getpid()
    ) -> [String: [Int32]] {
        guard environment["LISTEN_PID"] == "\(processID)",
            let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
            (1...Int32(Int16.max)).contains(count)
        else { return [:] }
        let names = (environment["LISTEN_FDNAMES"] ?? "")
            .split(separator: ":", omittingEmptySubsequences: false)
        var descriptors: [String: [Int32]] = [:]
        for index in 0..<count {
            // Programs that are started later do not get them.
            guard fcntl(3 + index, F_SETFD, FD_CLOEXEC) == 0 else { continue }
            let name = names.indices.contains(Int(index)) ? String(names[Int(index)]) : ""
            descriptors[name, default: []].append(3 + index)
        }
        return descriptors
    }
}
