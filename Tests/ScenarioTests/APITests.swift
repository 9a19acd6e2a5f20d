import ControlAPI
import Glibc
import Lab
import Testing

import struct FoundationEssentials.Data
import struct FoundationEssentials.URL

extension Scenarios {
    /// What is set through the API, with real daemons.
    @Suite("Setting things through the API") struct APITests {
        @Test("a port that was added works, survives a crash of the daemon, and goes")
        func port() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let blue1 = try play.vm("blue1", 1, on: hosts[0])
                let blue2 = try play.vm("blue2", 2, on: hosts[1])
                try play.start(hosts[0])
                let daemon = try play.start(hosts[1], settingUp: false) { $0.ports = [] }
                try daemon.waitUntilReady(for: [])
                try play.weft(
                    hosts[1], "port", "add", "blue2", "--network", "blue", "--kind", "tap",
                    "--device", "eth0", "--netns", blue2.namespace.name, "--mac", "\(blue2.mac)",
                    "--ip", "10.0.0.2")
                try blue2.configureInterface()
                try play.expectReachable(Station(blue1), Station(blue2))

                daemon.process.signal(SIGKILL)
                #expect(try eventually { !daemon.process.isRunning })
                let next = try play.start(hosts[1], settingUp: false) { $0.ports = [] }
                try next.waitUntilReady(for: [])
                try play.expectReachable(Station(blue1), Station(blue2))
                let shown = try play.weft(hosts[1], "port", "show", "blue2")
                #expect(shown.contains("port blue2, set through the API"))

                try play.weft(hosts[1], "port", "remove", "blue2")
                #expect(try !play.answers("10.0.0.2", from: Station(blue1)))
                let again = try play.weftResult(hosts[1], "port", "remove", "blue2")
                #expect(again.status == 1)
                #expect(again.stderr.contains("there is no port blue2"))
            }
        }

        @Test("apply and diff agree, and what only the file can take away is refused")
        func apply() throws {
            try scenario { play in
                let host = try play.hosts(2)[0]
                _ = try play.vm("blue1", 1, on: host)
                let daemon = try play.start(host)
                #expect(try play.weftResult(host, "diff", daemon.configurationPath).status == 0)
                let file = "\(play.lab.directory)/wanted.yaml"
                func wanted(_ text: String) throws {
                    try Data(text.utf8).write(to: URL(filePath: file))
                }
                try wanted("peers: [{name: one-1, address: 172.31.0.99}]\n")
                let diff = try play.weftResult(host, "diff", file)
                #expect(diff.status == 1)
                let expected =
                    "~ peer one-1\n    address: \(play.lab.hosts[1].vtep) -> 172.31.0.99\n"
                #expect(diff.stdout == expected)
                #expect(try play.weft(host, "apply", file) == expected)
                #expect(try play.status(host).peers.map(\.address) == ["172.31.0.99"])
                #expect(try play.weftResult(host, "diff", file).status == 0)

                try wanted("ports: []\n")
                let refused = try play.weftResult(host, "apply", file)
                #expect(refused.status == 1)
                #expect(refused.stderr.contains("port blue1"))
                #expect(try play.weftResult(host, "diff", file).status == 2)
                #expect(try play.status(host).ports.count == 1)
            }
        }

        @Test("events are told as they happen")
        func events() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let blue1 = try play.vm("blue1", 1, on: hosts[0])
                let blue2 = try play.vm("blue2", 2, on: hosts[1])
                try play.startAll()
                let watch = try hosts[0].spawn(
                    [
                        "\(Lab.programDirectory)/weft", "watch", "--json", "--socket",
                        play.socket(hosts[0]),
                    ], name: "watch")
                // Until it listens, some event or other.
                #expect(
                    try eventually(within: 10) {
                        try play.weft(
                            hosts[0], "peer", "set", "one-1", "--set", "networks=[\"blue\"]")
                        try play.weft(hosts[0], "peer", "remove", "one-1")
                        return watch.logTail().contains("configurationChanged")
                    })
                try play.expectReachable(Station(blue1), Station(blue2))
                try blue1.namespace.sh("ip", "link", "set", "eth0", "down")
                let learned = "\"event\":\"endpointLearned\",\"mac\":\"\(blue2.mac)\""
                #expect(
                    try eventually(within: 10) {
                        let log = watch.logTail(lines: 200)
                        return log.contains(learned) && log.contains("\"event\":\"portDown\"")
                    }, "\(watch.logTail())")
                try blue1.namespace.sh("ip", "link", "set", "eth0", "up")
                #expect(
                    try eventually(within: 10) {
                        watch.logTail(lines: 200).contains("\"event\":\"portUp\"")
                    }, "\(watch.logTail())")
                watch.stop()
            }
        }

        @Test(
            "what docs/openapi.yaml says is true, whatever is asked",
            .enabled(if: access(Self.schemathesis, X_OK) == 0, "no \(Self.schemathesis)"))
        func schema() throws {
            try scenario { play in
                let host = try play.hosts(1)[0]
                _ = try play.vm("blue1", 1, on: host)
                try play.start(host)
                let proxy = try host.spawn(
                    [
                        "socat", "TCP-LISTEN:8080,bind=127.0.0.1,fork,reuseaddr",
                        "UNIX-CONNECT:\(play.socket(host))",
                    ], name: "proxy")
                defer { proxy.stop() }
                #expect(try eventually(within: 10) { try host.namespace.isListening(onTCP: 8080) })
                let result = try host.run(
                    [
                        // It keeps notes in the folder that it runs in.
                        "env", "-C", play.lab.directory, Self.schemathesis, "--config-file",
                        supportFile("schemathesis.toml"), "run",
                        documentation("openapi.yaml"), "--url", "http://127.0.0.1:8080",
                        "--exclude-path", "/v1/events", "--exclude-path", "/v1/captures",
                        "--max-examples", "10", "--no-color", "--seed", "1",
                    ], timeout: .seconds(300))
                #expect(result.status == 0, "\(result.stdout.suffix(4000))")
                #expect(result.stdout.contains("generated"), "\(result.stderr)")
                #expect(try play.status(host).ports.contains { $0.name == "blue1" })
            }
        }

        private static let schemathesis = "/var/cache/weft/schemathesis/bin/schemathesis"
    }
}
