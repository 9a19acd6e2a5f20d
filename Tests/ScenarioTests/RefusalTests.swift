import ControlAPI
import Glibc
import Lab
import Testing
import Wire

extension Scenarios {
    /// What the daemon says and how it ends where it cannot start.
    @Suite("Refusals") struct RefusalTests {
        @Test(
            "a wrong configuration is told by file, line and key",
            arguments: [
                (#"network: "blue""#, #"network: "bleu""#, "ports[0].network"),
                ("kind: tap", "kind: tub", "ports[0].kind"),
                ("vni: 100", "vni: 16777216", "networks[0].vni"),
                ("vni: 100", "vni: 100, gatway: 10.0.0.1", "networks[0].gatway"),
            ])
        func configuration(from: String, to: String, key: String) throws {
            try refusal { play, host in
                var text = play.lab.weftdConfiguration(for: host).yaml
                    .replacing("network: blue", with: #"network: "blue""#)
                #expect(text.contains(from))
                text = text.replacing(from, with: to)
                let result = try run(play, host, configuration: text)
                #expect(result.status == 2)
                expectOneLine(result)
                let place = text.split(separator: "\n").firstIndex { $0.contains(to) }
                let line = try #require(place) + 1
                #expect(result.stderr.contains(".yaml:\(line):"), "\(result.stderr)")
                #expect(result.stderr.contains(key), "\(result.stderr)")
                // Nothing has been touched.
                #expect(try !host.vms[0].namespace.hasInterface("eth0"))
            }
        }

        @Test("no configuration file") func noFile() throws {
            try refusal { play, host in
                let result = try host.run([weftd, "--config", "/nowhere/weft.yaml"])
                #expect(result.status == 2)
                expectOneLine(result, naming: "/nowhere/weft.yaml")
            }
        }

        @Test("no such underlay address") func noAddress() throws {
            try refusal { play, host in
                var configuration = play.lab.weftdConfiguration(for: host)
                configuration.underlayAddress = .v4(.init(bits: 0xc000_0201))
                let result = try run(play, host, configuration: configuration.yaml)
                #expect(result.status == 1)
                expectOneLine(result, naming: "192.0.2.1")
            }
        }

        @Test("no such underlay interface") func noInterface() throws {
            try refusal { play, host in
                let text = play.lab.weftdConfiguration(for: host).yaml
                    .replacing("address: \"\(host.vtep)\"", with: "interface: ens5")
                let result = try run(play, host, configuration: text)
                #expect(result.status == 1)
                expectOneLine(result, naming: "ens5")
            }
        }

        @Test("IPv6 without checksums", arguments: [false, true])
        func noChecksum(byInterface: Bool) throws {
            try refusal(LabOptions(ipv6Underlay: true)) { play, host in
                // The interface's only address is then the one of IPv6.
                try host.namespace.sh("ip", "-4", "addr", "flush", "dev", "eth0")
                var configuration = play.lab.weftdConfiguration(for: host)
                configuration.underlaySettings["checksum"] = "false"
                let text = configuration.yaml
                let address = "address: \"\(host.vtep)\""
                #expect(text.contains(address))
                let result = try run(
                    play, host,
                    configuration: byInterface
                        ? text.replacing(address, with: "interface: eth0") : text)
                #expect(result.status == (byInterface ? 1 : 2))
                expectOneLine(result, naming: "underlay.checksum")
            }
        }

        @Test("the VXLAN port is the kernel's") func portOfTheKernel() throws {
            try refusal { play, host in
                let device = "link add vx0 type vxlan id 5 dstport 4789 dev eth0\nlink set vx0 up\n"
                try host.namespace.sh("ip", "-batch", "-", input: device)
                let result = try run(play, host)
                #expect(result.status == 1)
                expectOneLine(result, naming: "4789")
            }
        }

        @Test("the VXLAN port is another daemon's, which goes on") func portOfAnother() throws {
            try refusal { play, host in
                try play.start(host)
                let result = try run(play, host)
                #expect(result.status == 1)
                expectOneLine(result, naming: "4789")
                #expect(try play.status(host).ports.allSatisfy { $0.state == .up })
            }
        }

        @Test("no privilege") func noPrivilege() throws {
            try refusal { play, host in
                let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
                let result = try run(play, host, through: user)
                #expect(result.status == 1)
                expectOneLine(result, naming: "run as root")
            }
        }

        @Test("no io_uring") func noURing() throws {
            try refusal { play, host in
                let filter = ["python3", script("without_io_uring.py")]
                let result = try run(play, host, through: filter)
                #expect(result.status == 1)
                expectOneLine(result, naming: "io_uring")
            }
        }

        @Test("no /dev/net/tun") func noTUN() throws {
            try refusal { play, host in
                let empty = "mount -t tmpfs none /dev/net && exec \"$@\""
                let result = try run(
                    play, host, through: ["unshare", "--mount", "sh", "-c", empty, "sh"])
                #expect(result.status == 1)
                expectOneLine(result, naming: "/dev/net/tun")
            }
        }

        // MARK: Vocabulary

        private var weftd: String { "\(Lab.programDirectory)/weftd" }

        /// A host with one VM.
        private func refusal(
            _ options: LabOptions = LabOptions(), _ body: (Scenario, Host) throws -> Void
        ) throws {
            try scenario(options) { play in
                let host = try play.hosts(1)[0]
                _ = try play.vm("near", 1, on: host)
                try body(play, host)
            }
        }

        /// Runs a daemon that is expected to end by itself.
        private func run(
            _ play: Scenario, _ host: Host, configuration: String? = nil,
            through wrapper: [String] = []
        ) throws -> CommandResult {
            let path = "\(play.lab.directory)/refused.yaml"
            let text = configuration ?? play.lab.weftdConfiguration(for: host).yaml
            try Command(["tee", path], input: text).check()
            let result = try host.run(
                wrapper + [weftd, "--config", path, "--socket", path + ".sock"],
                timeout: .seconds(3))
            #expect(!result.timedOut, "it has not ended: \(result.stderr)")
            return result
        }

        /// One line, for an operator, that names what is wrong.
        private func expectOneLine(
            _ result: CommandResult, naming word: String = "",
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            let lines = result.stderr.split(separator: "\n")
            #expect(lines.count == 1, "\(result.stderr)", sourceLocation: sourceLocation)
            #expect(
                word.isEmpty || result.stderr.contains(word), "\(result.stderr)",
                sourceLocation: sourceLocation)
        }
    }
}
