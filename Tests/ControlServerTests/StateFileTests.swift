import Catalog
import ControlAPI
import Dispatch
import Foundation
import Testing
import weftd

@Suite("What is set through the API is kept")
struct StateFileTests {
    private func ports(in directory: String) async throws -> [String] {
        try await Daemon.run(in: directory) { daemon in
            let body = try daemon.send("GET", "/v1/ports").body
            let list = try JSON.decode(ObjectList<PortStatus>.self, from: body)
            return list.items.compactMap { $0.spec["name"]?.text }
        }
    }

    @Test("across restarts")
    func restart() async throws {
        try await withDirectory { directory in
            try await Daemon.run(in: directory) { daemon in
                for name in ["vm2", "vm3"] {
                    _ = try daemon.send(
                        "PUT", "/v1/ports/\(name)", #"{"network": "red", "kind": "tap"}"#)
                }
            }
            #expect(try await ports(in: directory) == ["vm1", "vm2", "vm3"])
        }
    }

    @Test("a file cut at any byte gives the state before, and is put aside")
    func truncation() async throws {
        try await withDirectory { directory in
            let path = directory + "/lib/state.json"
            try await Daemon.run(in: directory) { daemon in
                for name in ["vm2", "vm3"] {
                    _ = try daemon.send(
                        "PUT", "/v1/ports/\(name)", #"{"network": "red", "kind": "tap"}"#)
                }
            }
            let whole = try Data(contentsOf: URL(filePath: path))
            let before = try Data(contentsOf: URL(filePath: path + ".previous"))
            let file = directory + "/weft.yaml"
            for count in 0...whole.count {
                try whole.prefix(count).write(to: URL(filePath: path))
                try before.write(to: URL(filePath: path + ".previous"))
                let start = try StartingState(file: file, statePath: path, logger: quiet)
                // The recovery lasts.
                let again = try StartingState(file: file, statePath: path, logger: quiet)
                #expect(again.configuration == start.configuration, "cut at \(count)")
                let names = start.configuration.ports.map(\.name)
                // Without its last line feed it is whole.
                let expected = count < whole.count - 1 ? ["vm1", "vm2"] : ["vm1", "vm2", "vm3"]
                #expect(names == expected, "cut at \(count)")
                if count < whole.count - 1 {
                    #expect(FileManager.default.fileExists(atPath: path + ".broken"))
                }
            }
        }
    }

    @Test("what does not fit the file any more is kept, and in force again once it fits")
    func suspended() async throws {
        try await withDirectory { directory in
            let file = directory + "/weft.yaml"
            try await Daemon.run(in: directory) { daemon in
                let blue = try daemon.send("PUT", "/v1/networks/blue", #"{"vni": 7}"#)
                #expect(blue.status == 201)
            }
            let clash = Daemon.configuration.replacing(
                "networks:\n", with: "networks:\n  - {name: green, vni: 7}\n")
            try Data(clash.utf8).write(to: URL(filePath: file))
            let state = directory + "/lib/state.json"
            #expect(throws: (any Error).self) {
                try StartingState.check(file: file, statePath: state, logger: quiet)
            }
            try await Daemon.run(in: directory) { daemon in
                #expect(try daemon.send("GET", "/v1/networks/blue").status == 404)
                #expect(try daemon.send("GET", "/v1/networks/green").status == 200)
                #expect(try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2).status == 503)
                try Data(Daemon.configuration.utf8).write(to: URL(filePath: file))
                let done = DispatchSemaphore(value: 0)
                Task {
                    await daemon.state.reload()
                    done.signal()
                }
                done.wait()
                #expect(try daemon.send("GET", "/v1/networks/blue").status == 200)
                #expect(try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2).status == 201)
            }
        }
    }

    @Test("a newer format is refused, and left as it is")
    func newer() async throws {
        try await withDirectory { directory in
            let path = directory + "/state.json"
            let file = directory + "/weft.yaml"
            try Data(Daemon.configuration.utf8).write(to: URL(filePath: file))
            try Data(#"{"format": 2, "other": []}"#.utf8).write(to: URL(filePath: path))
            #expect {
                _ = try StartingState(file: file, statePath: path, logger: quiet)
            } throws: { "\($0)".contains("format 2") }
            #expect(FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("where it cannot be written nothing changes")
    func unwritable() async throws {
        try await withDirectory { directory in
            // A file where the directory should be.
            try Data().write(to: URL(filePath: directory + "/lib"))
            try await Daemon.run(in: directory) { daemon in
                let reply = try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2)
                #expect(reply.status == 503)
                #expect(daemon.ports == [])
                #expect(try daemon.send("GET", "/v1/ports/vm1").status == 200)
            }
        }
    }

    @Test("two daemons do not share it")
    func shared() async throws {
        try await withDirectory { directory in
            try await Daemon.run(in: directory) { daemon in
                let start = try StartingState(
                    file: directory + "/weft.yaml", statePath: directory + "/lib/state.json",
                    logger: quiet)
                #expect(throws: (any Error).self) { try start.checkWritable() }
                #expect(try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2).status == 201)
            }
        }
    }
}
