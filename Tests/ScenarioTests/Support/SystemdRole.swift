import CLinux
import Glibc
import Testing

/// systemd's side of sd_notify(3): it hears what a service says, and keeps descriptors for the
/// service's next process. The socket is in the file system because abstract names are each
/// network namespace's own.
final class SystemdRole {
    let address: String
    /// What is kept, in the order in which it came.
    private(set) var store: [(name: String, descriptor: Int32)] = []
    private let descriptor: Int32

    init(name: String) throws {
        address = "/tmp/\(name).notify"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        unlink(address)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address.utf8) }
        let bound = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0, "bind \(address): \(errno)")
    }

    deinit {
        for kept in store { close(kept.descriptor) }
        close(descriptor)
        unlink(address)
    }

    // MARK: Starting

    /// The command that runs a program as the service's next process.
    func launcher() -> [String] {
        let names = store.map(\.name).joined(separator: ":")
        let variables = [
            "NOTIFY_SOCKET=\(address)", "LISTEN_FDS=\(store.count)", "LISTEN_FDNAMES=\(names)",
        ]
        return ["env"] + variables + ["sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]
    }

    /// What it inherits. It stays in the store, too.
    var inheritance: [Int32] { store.map(\.descriptor) }

    /// How many descriptors are kept under each name.
    var kept: [String: Int] { Dictionary(store.map { ($0.name, 1) }, uniquingKeysWith: +) }

    // MARK: Hearing

    /// The next message that is wanted, within some milliseconds; others are passed over.
    func next(within patience: Int = 8000, _ isWanted: (String) -> Bool) -> String? {
        let deadline = ContinuousClock.now + .milliseconds(patience)
        while ContinuousClock.now < deadline {
            if let message = receive(), isWanted(message) { return message }
        }
        return nil
    }

    /// Whether the service says that it has started; what it said before has been done then.
    func hearsReadiness() -> Bool { next { $0.hasPrefix("READY=1\n") } != nil }

    /// Hears all that has been said so far.
    func discard() { while receive(milliseconds: 0) != nil {} }

    private func receive(milliseconds: Int32 = 50) -> String? {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        var descriptors = [Int32](repeating: -1, count: 253)
        var count: UInt32 = 0
        let length = weft_receive_descriptors(
            descriptor, &bytes, bytes.count, &descriptors, &count)
        guard length > 0 else { return nil }
        let message = String(decoding: bytes[..<Int(length)], as: UTF8.self)
        carryOut(message, descriptors.prefix(Int(count)))
        return message
    }

    private func carryOut(_ message: String, _ descriptors: ArraySlice<Int32>) {
        // Closing them is the answer to BARRIER=1.
        defer { for descriptor in descriptors { close(descriptor) } }
        let lines = message.split(separator: "\n")
        guard let name = lines.first(where: { $0.hasPrefix("FDNAME=") })?.dropFirst(7) else {
            return
        }
        if lines.contains("FDSTORE=1") {
            // Numbers that are out of the way of those that a process gets.
            store += descriptors.map { (String(name), fcntl($0, F_DUPFD_CLOEXEC, 500)) }
        } else if lines.contains("FDSTOREREMOVE=1") {
            for kept in store where kept.name == name { close(kept.descriptor) }
            store.removeAll { $0.name == name }
        }
    }
}
