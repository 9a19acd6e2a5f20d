import ControlAPI
import Glibc
import Lab
import Testing

//   one-0 ─────── switch ─────── one-1
//   └─ near 10.0.0.1             └─ far 10.0.0.2

extension Scenarios {
    /// Daemons that end and devices that go, while traffic flows.
    @Suite("Faults") struct FaultTests {
        @Test("SIGTERM under load ends the daemon at once and with success")
        func termination() throws {
            try scenario { play in
                let (near, far) = try pair(play)
                let daemons = try play.lab.hosts.map { try play.start($0) }
                try play.expectReachable(near, far)
                daemons[0].process.stop()

                // Once more, by a shell that tells the exit status.
                let shell = try near.host(play).spawn(
                    [
                        "sh", "-c", "\"$@\" & echo $! > \(pidFile(play)); wait $!; echo status $?",
                        "sh", "\(Lab.programDirectory)/weftd",
                        "--config", daemons[0].configurationPath,
                        "--socket", daemons[0].socketPath,
                    ], name: "weftd-in-shell")
                #expect(try eventually { try play.answers("10.0.0.2", from: near) })
                let transfer = try play.beginTransfer(near, far, megabytes: 2000)
                #expect(try eventually { try play.total("fromUnderlay", far.host(play)) > 20_000 })
                try Command(["sh", "-c", "kill -TERM $(cat \(pidFile(play)))"]).check()
                #expect(try eventually(within: 2) { !shell.isRunning }, "not quick")
                #expect(shell.logTail().contains("status 0"), "\(shell.logTail())")
                #expect(!shell.logTail().contains("Fatal"), "\(shell.logTail())")
                transfer.listener.stop()
                transfer.connector.stop()
            }
        }

        @Test("a daemon that was killed is followed by one that takes its ports over")
        func crash() throws {
            try scenario { play in
                let (near, far) = try pair(play)
                try play.startAll()
                try play.expectReachable(near, far)
                let index = try near.namespace.sh("cat", "/sys/class/net/eth0/ifindex")
                let transfer = try play.beginTransfer(near, far, megabytes: 20, seconds: 3)
                #expect(try eventually { try play.total("fromPorts", play.lab.hosts[0]) > 500 })
                try play.restart(play.lab.hosts[0], by: SIGKILL)
                try transfer.finish()
                // The very same device: whoever is plugged into it has noticed nothing.
                #expect(try near.namespace.sh("cat", "/sys/class/net/eth0/ifindex") == index)
                try play.expectReachable(near, far)
            }
        }

        @Test("an interface that was deleted is attached again when it returns")
        func interface() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let vm = try play.vm("near", 1, on: hosts[0], kind: .veth)
                let near = Station(vm)
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                try play.startAll()
                try play.expectReachable(near, far)
                for _ in 0..<3 {
                    try hosts[0].namespace.sh("ip", "link", "del", "near")
                    #expect(try eventually { try play.port("near").state == .missing })
                    let pair = """
                        link add eth0 netns \(near.namespace.name) address \(vm.mac) mtu 1450 \
                        type veth peer name near netns \(hosts[0].namespace.name)

                        """
                    try Command(["ip", "-batch", "-"], input: pair).check()
                    try near.namespace.sh("ip", "addr", "add", "10.0.0.1/24", "dev", "eth0")
                    try near.namespace.sh("ip", "link", "set", "eth0", "up")
                    try hosts[0].namespace.sh("ip", "link", "set", "near", "up")
                    #expect(try eventually { try play.port("near").state == .up })
                    #expect(try eventually { try play.answers("10.0.0.2", from: near) })
                }
                try play.expectReachable(near, far)
                try play.transfer(near, far, megabytes: 10)
            }
        }

        @Test("a TAP that was deleted is made again") func tap() throws {
            try scenario { play in
                let (near, far) = try pair(play)
                let daemons = try play.lab.hosts.map { try play.start($0) }
                try play.expectReachable(near, far)
                for _ in 0..<3 {
                    try near.namespace.sh("ip", "link", "del", "eth0")
                    #expect(try eventually { try near.namespace.hasInterface("eth0") })
                    try daemons[0].waitUntilReady()
                    #expect(try eventually { try play.answers("10.0.0.2", from: near) })
                }
                try play.expectReachable(near, far)
                try play.transfer(near, far, megabytes: 10)
            }
        }

        @Test("a device that was set down works again once it is up") func downAndUp() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0]))
                let beside = Station(try play.vm("beside", 3, on: hosts[0], kind: .veth))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                try play.startAll()
                for station in [near, beside] {
                    try play.expectReachable(station, far)
                    for _ in 0..<3 {
                        try station.namespace.sh("ip", "link", "set", "eth0", "down")
                        #expect(try eventually { try play.port(station.name).state == .down })
                        #expect(try !play.answers(station.addresses[0], from: far))
                        try station.namespace.sh("ip", "link", "set", "eth0", "up")
                        #expect(try eventually { try play.port(station.name).state == .up })
                        #expect(try eventually { try play.answers("10.0.0.2", from: station) })
                    }
                    try play.expectReachable(station, far)
                    try play.transfer(station, far, megabytes: 10)
                }
            }
        }

        @Test(
            "what the kernel loses because a daemon does not read is seen",
            .enabled(if: Lab.hasProgram("weft-bench"), "WEFT_BIN has no weft-bench to send with"),
            arguments: [VM.Kind.tap, .veth])
        func missed(kind: VM.Kind) throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = try play.vm("near", 1, on: hosts[0], kind: kind)
                let far = try play.vm("far", 2, on: hosts[1])
                try play.startAll()
                try play.expectReachable(Station(near), Station(far))
                #expect(try play.status(hosts[0]).ports[0].missedFrames == 0)
                let sent = 400_000
                try play.whileStopped(play.daemons[0]) { try send(sent, near, far) }
                let missed = try play.status(hosts[0]).ports[0].missedFrames
                #expect(missed > 0 && missed <= UInt64(sent), "\(missed)")
                // What was neither missed nor read is nowhere.
                #expect(
                    try eventually {
                        let port = try play.status(hosts[0]).ports[0]
                        return port.missedFrames + port.counters.rxFrames >= UInt64(sent)
                    })
                try play.expectReachable(Station(near), Station(far))
            }
        }

        /// Sends small frames as fast as they go.
        private func send(_ count: Int, _ from: VM, _ to: VM) throws {
            try from.namespace.sh(
                "\(Lab.programDirectory)/weft-bench", "generate", "--from", "10.0.0.1",
                "\(from.mac)", "--to", "10.0.0.2", "\(to.mac)", "--run", "1", "--rate",
                "1000000", "--frames", "\(count)", "--limit", "10")
        }

        private func pidFile(_ play: Scenario) -> String { "\(play.lab.directory)/weftd.pid" }

        private func pair(_ play: Scenario) throws -> (Station, Station) {
            let hosts = try play.hosts(2)
            return try (
                Station(play.vm("near", 1, on: hosts[0])), Station(play.vm("far", 2, on: hosts[1]))
            )
        }
    }
}

extension Scenario {
    /// Keeps a daemon from running meanwhile.
    fileprivate func whileStopped(_ daemon: Weftd, _ body: () throws -> Void) throws {
        daemon.process.signal(SIGSTOP)
        defer { daemon.process.signal(SIGCONT) }
        try body()
    }

    /// The status of a port of the first host.
    func port(_ name: String) throws -> PortStatus {
        try #require(status(lab.hosts[0]).ports.first { $0.name == name })
    }

    /// Ends the daemon of a host with a signal and starts another.
    fileprivate func restart(_ host: Host, by signal: Int32) throws {
        let old = try #require(daemons.first { $0.host === host })
        old.process.signal(signal)
        #expect(try eventually { !old.process.isRunning })
        // The device has kept its MAC and addresses: there is nothing to set up.
        try start(host, settingUp: false)
    }
}

extension Station {
    fileprivate func host(_ play: Scenario) throws -> Host {
        try #require(play.lab.vms.first { $0.name == name }).host
    }
}
