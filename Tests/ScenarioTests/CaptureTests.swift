import ControlAPI
import FoundationEssentials
import Glibc
import Lab
import TestFrames
import Testing
import Wire

//   one-0 ─────── switch ─────── one-1
//   ├─ near 10.0.0.1             └─ far 10.0.0.2
//   └─ weft capture

extension Scenarios {
    /// `weft capture`, and what other programs read of it.
    @Suite(
        "Captures", .enabled(if: Lab.hasProgram("weft"), "WEFT_BIN has no weft"),
        .enabled(if: access("/usr/bin/tshark", X_OK) == 0, "tshark is not installed"))
    struct CaptureTests {
        @Test("a filter at a port shows the pings and only them")
        func port() throws {
            try scenario { play in
                let (hosts, near, far) = try pair(play)
                try play.vm("other", 3, on: hosts[0])
                try play.startAll()
                let capture = try PacketCapture(play, hosts[0], ["--port", "near", "icmp"])
                try play.expectReachable(Station(near), Station(far))
                try play.transfer(Station(near), Station(far), megabytes: 1)
                try capture.end()
                #expect(capture.summary == .init(captured: 12, lost: 0), "\(capture.log)")
                let packets = try capture.packets([
                    "frame.interface_name", "frame.packet_flags_direction", "ip.src", "icmp.type",
                ])
                let inbound = packets.filter { $0[1] == "0x00000001" }
                #expect(packets.count == 12 && inbound.count == 6)
                #expect(packets.allSatisfy { $0[0] == "near" && ["8", "0"].contains($0[3]) })
                #expect(inbound.allSatisfy { $0[2] == "10.0.0.1" })
            }
        }

        @Test("all of a network, or all ports, with superframes whole")
        func network() throws {
            try scenario { play in
                let (hosts, near, far) = try pair(play)
                let green = LabNetwork("green", vni: 200)
                let other = try play.vm("other", 3, on: hosts[0], network: green)
                try play.startAll()
                let blue = try PacketCapture(play, hosts[0], ["--network", "blue", "-s", "100"])
                let all = try PacketCapture(play, hosts[0], ["icmp or tcp"])
                _ = try play.answers("10.0.0.9", from: Station(other))
                try play.transfer(Station(near), Station(far), megabytes: 5)
                try blue.end()
                try all.end()
                let fields = ["frame.interface_name", "frame.len", "frame.cap_len", "eth.type"]
                let packets = try blue.packets(fields)
                #expect(packets.allSatisfy { $0[0] == "near" })
                #expect(packets.allSatisfy { Int($0[2]) == min(100, Int($0[1]) ?? 0) })
                #expect(packets.contains { Int($0[1]) ?? 0 > 20_000 }, "superframes")
                #expect(Set(try all.packets(fields).map { $0[3] }) == ["0x0800"])
                #expect(blue.summary?.captured == packets.count, "\(blue.log)")
            }
        }

        @Test(
            "the underlay is VXLAN in outer headers that others read", arguments: [false, true])
        func underlay(ipv6: Bool) throws {
            try scenario(LabOptions(ipv6Underlay: ipv6)) { play in
                let (hosts, near, far) = try pair(play)
                try play.startAll()
                let capture = try PacketCapture(play, hosts[0], ["--underlay", "-B", "16384"])
                try play.expectReachable(Station(near), Station(far))
                try play.transfer(Station(near), Station(far), megabytes: 1)
                try capture.end()
                let source = ipv6 ? "ipv6.src" : "ip.src"
                let packets = try capture.packets(
                    [
                        "frame.interface_name", "frame.packet_flags_direction", source,
                        "udp.dstport", "udp.srcport", "vxlan.vni", "frame.len", "icmp.type",
                        "_ws.malformed",
                    ], occurrence: "f")
                #expect(packets.count == capture.summary?.captured)
                #expect(packets.allSatisfy { $0[0] == "underlay" && $0[5] == "100" })
                for (direction, host) in [("0x00000002", hosts[0]), ("0x00000001", hosts[1])] {
                    let some = packets.filter { $0[1] == direction }
                    #expect(some.count > 100)
                    #expect(some.allSatisfy { $0[2] == "\(host.vtep)" && $0[3] == "4789" })
                    #expect(some.allSatisfy { Int($0[4]) ?? 0 >= 49152 })
                }
                #expect(packets.count { !$0[7].isEmpty } == 12, "six pings")
                // Trains and superframes are told as the datagrams that they are.
                #expect(packets.allSatisfy { Int($0[6]) ?? 0 <= 1514 && $0[8].isEmpty })
            }
        }

        @Test("drops come with their reason, wherever they were dropped")
        func drops() throws {
            try scenario { play in
                let hosts = try play.hosts(3)
                let near = try play.vm("near", 1, on: hosts[0])
                let far = try play.vm("far", 2, on: hosts[1])
                for host in hosts[..<2] {
                    try play.start(host) { $0.peers.removeAll { $0.name == "one-2" } }
                }
                try play.expectReachable(Station(near), Station(far))
                let capture = try PacketCapture(play, hosts[0], ["--drops"])
                let before = try reasons(play, hosts[0])
                var spoofed = FrameBuilder(near, far)
                spoofed.sourceMAC = MACAddress(bits: 0x0200_0000_0099)
                try play.send([spoofed.udp(), spoofed.udp()], from: near)
                let forged = vxlan(vni: Scenario.blue.vni, FrameBuilder(far, near).udp())
                try play.send([forged, forged, forged], toVTEPOf: hosts[0], from: hosts[2])
                #expect(try eventually { try play.drops("unknownPeer", hosts[0]) == 3 })
                try capture.end()
                let packets = try capture.packets([
                    "frame.interface_name", "frame.packet_flags_direction", "frame.comment",
                ])
                let found = Dictionary(
                    packets.map { (String($0[2].prefix { $0 != ":" }), 1) }, uniquingKeysWith: +)
                let after = try reasons(play, hosts[0])
                let counted = after.mapValues { Int($0) }
                    .merging(before.mapValues { -Int($0) }, uniquingKeysWith: +)
                    .filter { $0.value != 0 }
                #expect(found == counted, "each drop that is counted is shown")
                #expect(found["spoofedMAC"] == 2 && found["unknownPeer"] == 3)
                #expect(
                    packets.allSatisfy {
                        $0[1] == "0x00000001" && $0[2].contains(": ")
                            && ($0[0] == "underlay") == $0[2].hasPrefix("unknownPeer")
                    })
            }
        }

        private func reasons(_ play: Scenario, _ host: Host) throws -> [String: UInt64] {
            try play.status(host).counters.dropsByReason.mapValues { $0.count + $0.copies }
        }

        @Test("lines for people, and an end after so many")
        func lines() throws {
            try scenario { play in
                let (hosts, near, far) = try pair(play)
                try play.startAll()
                let capture = try PacketCapture(
                    play, hosts[0], ["--port", "near", "-c", "4", "icmp"], printing: true)
                try play.expectReachable(Station(near), Station(far))
                #expect(try eventually(within: 15) { !capture.process.isRunning })
                let lines = capture.log.split(separator: "\n").filter { $0.contains(" near ") }
                #expect(lines.count == 4, "\(capture.log)")
                #expect(lines[0].contains(" near in IP 10.0.0.1 > 10.0.0.2: ICMP echo request"))
                #expect(lines[1].contains(" near out IP 10.0.0.2 > 10.0.0.1: ICMP echo reply"))
                #expect(capture.summary == .init(captured: 4, lost: 0), "\(capture.log)")
                #expect(try eventually { try play.status(hosts[0]).captures == 0 })
            }
        }

        @Test("who does not read loses packets, and nobody else notices")
        func stalled() throws {
            try scenario { play in
                let (hosts, near, far) = try pair(play)
                try play.startAll()
                let capture = try PacketCapture(play, hosts[0], ["-B", "256"])
                capture.process.signal(SIGSTOP)
                try play.transfer(Station(near), Station(far), megabytes: 20)
                let memory = try residentKiB(play.daemons[0].process.pid)
                try play.transfer(Station(near), Station(far), megabytes: 60)
                let status = try #require(try captures(play, hosts[0]).first)
                #expect(status.lost > 0)
                let more = try residentKiB(play.daemons[0].process.pid) - memory
                #expect(more < 32 << 10, "KiB, for 120 MB that nobody read")
                capture.process.signal(SIGCONT)
                try capture.end()
                let summary = try #require(capture.summary, "\(capture.log)")
                #expect(summary.lost > 0 && summary.captured > 0, "\(capture.log)")
                #expect(try capture.packets(["frame.len"]).count == summary.captured)
            }
        }

        private func residentKiB(_ pid: Int32) throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            return try #require(line?.split(separator: " ").dropLast().last.flatMap { Int($0) })
        }

        private func captures(_ play: Scenario, _ host: Host) throws -> [CaptureStatus] {
            try JSON.decode(
                CaptureList.self,
                from: ControlClient(socket: play.socket(host)).get("/v1/captures")
            ).captures
        }

        @Test("a capture ends with its client or its port, and there is room for so many")
        func ends() throws {
            try scenario { play in
                let (hosts, near, far) = try pair(play)
                try play.vm("other", 3, on: hosts[0])
                try play.startAll()
                var running: [PacketCapture] = []
                for _ in 0..<4 {
                    running.append(try PacketCapture(play, hosts[0], ["--port", "other"]))
                }
                #expect(try play.status(hosts[0]).captures == 4)
                let refused = try hosts[0].run([
                    "\(Lab.programDirectory)/weft", "capture", "--socket", play.socket(hosts[0]),
                    "-w", "/dev/null",
                ])
                #expect(refused.status == 1)
                #expect(refused.stderr.contains("weftd refused (503): 4 captures run"))
                running[0].process.signal(SIGKILL)
                #expect(
                    try eventually(within: 15) { try play.status(hosts[0]).captures == 3 })
                try play.reload(hosts[0]) { $0.ports.removeAll { $0.name == "other" } }
                for capture in running.dropFirst() {
                    #expect(try eventually(within: 15) { !capture.process.isRunning })
                    #expect(capture.summary != nil, "\(capture.log)")
                }
                #expect(try play.status(hosts[0]).captures == 0)
                try play.expectReachable(Station(near), Station(far))
            }
        }

        @Test("a client of a daemon that ends says so, and what it has")
        func daemonEnds() throws {
            try scenario { play in
                let (hosts, near, far) = try pair(play)
                try play.startAll()
                let capture = try PacketCapture(play, hosts[0], ["icmp"])
                try play.expectReachable(Station(near), Station(far))
                #expect(try eventually { try captures(play, hosts[0]).first?.captured == 12 })
                try pause(.milliseconds(200))
                play.daemons[0].process.stop()
                #expect(try eventually(within: 15) { !capture.process.isRunning })
                #expect(
                    capture.log.contains("weftd is not running (it has ended"), "\(capture.log)")
                #expect(capture.summary == .init(captured: 12, lost: 0), "\(capture.log)")
                #expect(try capture.packets(["frame.len"]).count == 12)
            }
        }

        private func pair(_ play: Scenario) throws -> (hosts: [Host], near: VM, far: VM) {
            let hosts = try play.hosts(2)
            let near = try play.vm("near", 1, on: hosts[0])
            return (hosts, near, try play.vm("far", 2, on: hosts[1]))
        }
    }
}

/// A `weft capture` that runs on a host.
private final class PacketCapture {
    let process: LabProcess
    private let file: String
    private let host: Host

    /// Begins it and waits until it captures.
    init(
        _ play: Scenario, _ host: Host, _ arguments: [String], printing: Bool = false
    ) throws {
        self.host = host
        let name = play.programName("weft-capture")
        file = "\(play.lab.directory)/\(name).pcapng"
        process = try host.spawn(
            ["\(Lab.programDirectory)/weft", "capture", "--socket", play.socket(host)]
                + (printing ? [] : ["-w", file]) + arguments, name: name)
        let process = process
        #expect(
            try eventually(within: 15) { process.logTail().contains("Ctrl-C ends it") },
            "\(process.logTail())")
    }

    /// What it has said.
    var log: String { process.logTail(lines: 50) }

    struct Summary: Equatable {
        var captured: Int
        var lost: Int
    }

    /// "weft: 3 packets captured, 1 dropped by weft"
    var summary: Summary? {
        let line = log.split(separator: "\n").last { $0.contains("packets captured") }
        let numbers = line?.split { !$0.isNumber }.compactMap { Int($0) } ?? []
        return numbers.count == 2 ? Summary(captured: numbers[0], lost: numbers[1]) : nil
    }

    /// Ctrl-C, once all that has passed is written: what has passed before it is shown.
    func end() throws {
        process.signal(SIGINT)
        #expect(try eventually(within: 30) { !process.isRunning }, "\(log)")
    }

    /// Fields of each packet, as tshark calls them.
    func packets(_ fields: [String], occurrence: String = "a") throws -> [[Substring]] {
        let arguments = fields.flatMap { ["-e", $0] }
        let text = try Command(
            ["tshark", "-n", "-r", file, "-T", "fields", "-E", "occurrence=\(occurrence)"]
                + arguments, timeout: .seconds(120)
        ).inside(host.namespace).check()
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false)
        }
    }
}
