import Glibc
import Lab
import Testing

extension Scenarios {
    /// weftd as a service of systemd, whose side of the protocol (sd_notify(3)) the test plays.
    @Suite("Service") struct ServiceTests {
        @Test("tells systemd when it is ready, alive, reloading and stopping")
        func notifies() throws {
            try scenario { play in
                let host = try play.hosts(2)[0]
                let vm = try play.vm("near", 1, on: host)
                let systemd = try NotifySocket(name: "weft-test-\(getpid())")
                let configuration = play.lab.weftdConfiguration(for: host)
                let file = "\(vm.namespace.name).yaml"
                let path = "/tmp/\(file)"
                try Command(["tee", path], input: configuration.yaml).check()
                defer { unlink(path) }
                let daemon = try host.spawn(
                    [
                        "env", "NOTIFY_SOCKET=\(systemd.address)", "WATCHDOG_USEC=200000",
                        "\(Lab.programDirectory)/weftd", "--config", path,
                        "--socket", "\(path).sock",
                    ], name: "weftd-service")
                defer { daemon.stop() }
                #expect(
                    systemd.next { $0.hasPrefix("READY=1\n") }?
                        .contains("STATUS=1 networks, 1 of 1 ports, 1 peers") == true,
                    "\(daemon.logTail())")
                #expect(access("\(path).sock", F_OK) == 0, "ready is not before it answers")
                for _ in 0..<3 { #expect(systemd.next { $0 == "WATCHDOG=1" } != nil) }

                // Who does not run does not say that all is well.
                daemon.signal(SIGSTOP)
                systemd.discard()
                #expect(systemd.next(within: 500) { _ in true } == nil)
                daemon.signal(SIGCONT)
                #expect(systemd.next { $0 == "WATCHDOG=1" } != nil)

                daemon.signal(SIGHUP)
                #expect(systemd.next { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") } != nil)
                #expect(systemd.next { $0.hasPrefix("READY=1\n") } != nil)
                daemon.signal(SIGTERM)
                #expect(systemd.next { $0 == "STOPPING=1" } != nil)
                #expect(try eventually { !daemon.isRunning })
            }
        }
    }
}

/// systemd's end: a datagram socket, in the file system because abstract names are each network
/// namespace's own.
private final class NotifySocket {
    let address: String
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
        close(descriptor)
        unlink(address)
    }

    /// The next message that is wanted, within some milliseconds; others are passed over.
    func next(within patience: Int = 8000, _ isWanted: (String) -> Bool) -> String? {
        let deadline = ContinuousClock.now + .milliseconds(patience)
        while ContinuousClock.now < deadline {
            if let message = receive(), isWanted(message) { return message }
        }
        return nil
    }

    /// Throws away what has come.
    func discard() { while receive(milliseconds: 0) != nil {} }

    private func receive(milliseconds: Int32 = 50) -> String? {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
