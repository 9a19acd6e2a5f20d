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
                let systemd = try SystemdRole(name: "weft-test-\(getpid())")
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
