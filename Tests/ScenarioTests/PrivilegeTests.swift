import ControlAPI
import FoundationEssentials
import Glibc
import Lab
import Testing

extension Scenarios {
    /// What the daemon may do once it runs.
    @Suite("Privileges") struct PrivilegeTests {
        /// NET_ADMIN, NET_RAW, SYS_ADMIN, BPF (linux/capability.h).
        private static let most: UInt64 = 1 << 12 | 1 << 13 | 1 << 21 | 1 << 39

        @Test("no thread has more than ports need, workers have nothing")
        func threads() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let near = Station(try play.vm("near", 1, on: hosts[0], kind: .veth))
                let far = Station(try play.vm("far", 2, on: hosts[1]))
                try play.startAll { $0.workers = 2 }
                try play.expectReachable(near, far)
                for daemon in play.daemons {
                    let threads = try Self.threads(of: daemon.process.pid)
                    #expect(threads.count >= 4)
                    #expect(threads.count { $0.name.hasPrefix("weft-worker-") } == 2)
                    for thread in threads {
                        let isWorker = thread.name.hasPrefix("weft-worker-")
                        let most = isWorker ? 0 : Self.most
                        #expect(thread["CapPrm"] & ~most == 0, "\(thread.name)")
                        #expect(thread["CapEff"] & ~most == 0, "\(thread.name)")
                        #expect(thread["CapInh"] == 0 && thread["CapAmb"] == 0, "\(thread.name)")
                        #expect(thread["NoNewPrivs"] == 1, "\(thread.name)")
                    }
                }
            }
        }

        @Test("a port that takes a capability that is not there says so")
        func missing() throws {
            try scenario { play in
                let host = try play.hosts(1)[0]
                let vm = try play.vm("near", 1, on: host)
                var configuration = play.lab.weftdConfiguration(for: host)
                configuration.ports = []
                let daemon = try play.lab.startWeftd(
                    on: host, configuration: configuration,
                    launcher: ["setpriv", "--bounding-set", "-sys_admin"], wait: false)
                try daemon.waitUntilReady(for: [])
                let added = try host.run([
                    "\(Lab.programDirectory)/weft", "port", "add", "near", "--socket",
                    daemon.socketPath, "--network", "blue", "--kind", "tap", "--device", "eth0",
                    "--netns", vm.namespace.name,
                ])
                #expect(added.succeeded, "\(added.stderr)")
                let reason = "weftd has no CAP_SYS_ADMIN: run as root, or put that into the unit"
                #expect(
                    try eventually { daemon.process.logTail().contains(reason) },
                    "\(daemon.process.logTail())")
            }
        }

        private struct Thread {
            var name: String
            var values: [String: UInt64]
            subscript(key: String) -> UInt64 { values[key] ?? .max }
        }

        /// The threads of a process, as proc_pid_status(5) describes them: masks are hexadecimal.
        private static func threads(of pid: Int32) throws -> [Thread] {
            let folder = "/proc/\(pid)/task"
            return try FileManager.default.contentsOfDirectory(atPath: folder).map { task in
                let data = try Data(contentsOf: URL(filePath: "\(folder)/\(task)/status"))
                let pairs = String(decoding: data, as: UTF8.self).split(separator: "\n")
                    .map { $0.split(separator: ":\t", maxSplits: 1) }.filter { $0.count == 2 }
                let text = Dictionary(
                    pairs.map { (String($0[0]), $0[1]) }, uniquingKeysWith: { first, _ in first })
                return Thread(
                    name: text["Name"].map(String.init) ?? "",
                    values: text.compactMapValues { UInt64($0, radix: 16) })
            }
        }
    }
}
