import ControlAPI
import FoundationEssentials
import Glibc
import Lab
import Testing

extension Scenarios {
    /// The Debian package, as `make deb` left it.
    @Suite("Package", .enabled(if: package != nil, "`make deb` makes the package"))
    struct PackageTests {
        /// systemctl(1), of which only the calls are told.
        private static let systemctl = """
            #!/bin/sh
            echo "$@" >>/systemctl.log

            """

        @Test(
            "is installed, runs, is upgraded, removed and purged",
            .enabled(if: DebianRoot.isPossible, "scripts/install.sh test packs a Debian"))
        func life() throws {
            try scenario { play in
                let host = try play.hosts(1)[0]
                let debian = try DebianRoot()
                try debian.copy(#require(package), to: "/weft.deb")
                try debian.write("/usr/bin/systemctl", Self.systemctl)
                try debian.run(on: host, "mkdir", "-p", "/run/systemd/system")

                // Its dependencies are there: apt would have to fetch what is not, and cannot.
                try install(debian, host)
                #expect(!debian.read("/systemctl.log").contains("start weftd"))
                #expect(debian.read("/systemctl.log").contains("preset weftd.service"))
                #expect(debian.read("/etc/group").contains("\nweft:"))
                #expect(debian.has("/usr/share/doc/weft/examples/mesh-a.yaml"))
                #expect(debian.has("/usr/share/man/man8/weftd.8.gz"))

                // bash takes the scripts, whatever zsh and fish would say of theirs.
                for script in [
                    "/usr/share/bash-completion/completions/weft", "<(weft completion bash)",
                ] {
                    let sourced = "source \(script) && complete -p weft"
                    #expect(try debian.run(on: host, "bash", "-c", sourced).contains("_weft"))
                }

                let configuration = try serve(play, host, debian)

                try debian.write("/systemctl.log", "")
                try debian.run(on: host, "dpkg", "--install", "/weft.deb")
                #expect(debian.read("/systemctl.log").contains("daemon-reload"))
                #expect(debian.read("/systemctl.log").contains("try-restart weftd.service"))

                try debian.run(on: host, "apt-get", "remove", "--yes", "weft")
                #expect(debian.read("/systemctl.log").contains("stop weftd.service"))
                #expect(!debian.has("/usr/sbin/weftd"))
                #expect(debian.read("/etc/weft/weft.yaml") == configuration)
                #expect(debian.has("/var/lib/weft/state.json"))

                try install(debian, host)
                #expect(debian.read("/etc/weft/weft.yaml") == configuration)
                #expect(debian.has("/var/lib/weft/state.json"))

                try debian.run(on: host, "apt-get", "purge", "--yes", "weft")
                let left = try debian.run(
                    on: host, "find", "/etc", "/lib", "/run", "/usr", "/var", "-xdev",
                    "-name", "*weft*", "-not", "-path", "/var/log/*")
                #expect(left.isEmpty)
            }
        }

        @Test(
            "is what Debian's checker asks for",
            .enabled(if: access("/usr/bin/lintian", X_OK) == 0, "lintian is not installed"))
        func lintian() throws {
            let result = try Command(
                ["lintian", "--allow-root", "--fail-on", "error,warning", #require(package)],
                timeout: .seconds(300)
            ).run()
            #expect(result.succeeded, "\(result.stdout)\(result.stderr)")
        }

        private func install(_ debian: DebianRoot, _ host: Host) throws {
            try debian.run(on: host, "apt-get", "install", "--yes", "/weft.deb")
        }

        /// Has the installed daemon and command line do their work, by their own default places,
        /// and returns the configuration that they had.
        private func serve(
            _ play: Scenario, _ host: Host, _ debian: DebianRoot
        ) throws -> String {
            let refused = try host.run(debian.inside(["weftd", "--check"]))
            #expect(refused.status == 2, "\(refused.stderr)")
            var configuration = play.lab.weftdConfiguration(for: host)
            configuration.networks = [.init(name: "blue", vni: 100)]
            configuration.ports = [
                .init(name: "gw", network: "blue", kind: "host", device: "weft-gw")
            ]
            try debian.write("/etc/weft/weft.yaml", configuration.yaml)
            try debian.run(on: host, "weftd", "--check")

            let daemon = try host.spawn(debian.inside(["weftd"]), name: "installed")
            defer { daemon.stop() }
            let isUp = try eventually(within: 20) {
                debian.has("/run/weft/weft.sock") || !daemon.isRunning
            }
            #expect(isUp, "\(daemon.logTail())")
            let status = try debian.run(on: host, "weft", "status")
            let version = try debian.run(on: host, "weftd", "--version")
            #expect(status.hasPrefix("weftd \(version.dropLast()) on \(host.name), up "))
            #expect(status.contains(/gw +blue +host +weft-gw +up/), "\(daemon.logTail())")
            try debian.run(on: host, "weft", "network", "add", "red", "--vni", "200")
            #expect(debian.read("/var/lib/weft/state.json").contains("red"))
            return configuration.yaml
        }
    }
}

/// The package that `make deb` left.
private let package: String? = {
    let folder = URL(filePath: documentation("")).deletingLastPathComponent()
        .appending(path: ".build-deb").path
    let files = try? FileManager.default.contentsOfDirectory(atPath: folder)
    return files?.first { $0.hasSuffix(".deb") }.map { "\(folder)/\($0)" }
}()
