import Catalog
import ControlAPI
import Foundation
import Synchronization
import Testing
import Wire
import weftd

@Suite("Changing objects through the API")
struct ObjectTests {
    @Test("PUT adds, changes and is idempotent; DELETE gives the file's back")
    func lifecycle() async throws {
        try await Daemon.run { daemon in
            #expect(try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2).status == 201)
            #expect(try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2).status == 200)
            #expect(daemon.ports == ["vm1", "vm2"])
            let port = try daemon.port("vm2")
            #expect(port.origin == .api)
            #expect(port.spec["macs"] == .strings(["02:00:00:00:00:09"]))

            let other = #"{"network": "red", "kind": "tap", "floodUnknown": false}"#
            #expect(try daemon.send("PUT", "/v1/ports/vm1", other).status == 200)
            #expect(try daemon.port("vm1").origin == .override)
            #expect(try daemon.send("DELETE", "/v1/ports/vm1").status == 204)
            #expect(try daemon.port("vm1").origin == .file)
            #expect(try daemon.port("vm1").spec["floodUnknown"] == nil)

            #expect(try daemon.send("DELETE", "/v1/ports/vm2").status == 204)
            #expect(try daemon.send("DELETE", "/v1/ports/vm2").status == 404)
            #expect(daemon.ports == ["vm1"])
        }
    }

    @Test("what the file has cannot be taken away, and what is there not doubled")
    func conflicts() async throws {
        try await Daemon.run { daemon in
            let refused = try daemon.send("DELETE", "/v1/ports/vm1")
            #expect(refused.status == 409)
            #expect(try daemon.error(refused).error.contains("weft.yaml: take it out there"))
            let full = try daemon.send("PUT", "/v1/ports/refused", Daemon.vm2)
            #expect(full.status == 409)
            #expect(try daemon.error(full).error.contains("there is no room"))
            #expect(daemon.ports == [])
            #expect(try daemon.send("GET", "/v1/ports/refused").status == 404)
        }
    }

    @Test(
        "a wrong request names its field, and changes nothing",
        arguments: [
            ("ports/vm2", #"{"network": "rad", "kind": "tap"}"#, ["network"]),
            (
                "ports/vm2", #"{"network": "red", "kind": "tap", "macs": ["x"], "a": 1}"#,
                ["a", "macs[0]"]
            ),
            ("ports/vm2", #"{"name": "vm3"}"#, ["name"]),
            ("ports/vm2", "[]", []),
            ("ports/vm2", #"{"network": "red", "kind": "tap", "device": "weft-vm1"}"#, ["device"]),
            ("ports/a%20b", #"{"network": "red", "kind": "tap", "device": "t"}"#, ["name"]),
            ("networks/blue", #"{"vni": 100}"#, ["vni"]),
            ("peers/c", #"{"address": "10.1.0.1"}"#, ["address"]),
        ])
    func wrong(path: String, body: String, fields: [String]) async throws {
        try await Daemon.run { daemon in
            let reply = try daemon.send("PUT", "/v1/\(path)", body)
            #expect(reply.status == 422)
            let error = try daemon.error(reply)
            #expect((error.problems ?? []).map(\.field).sorted() == fields)
            #expect(daemon.ports == [])
        }
    }

    @Test(
        "what is no JSON is refused",
        arguments: ["", "{", "{\"a\":", "nope", String(repeating: "[", count: 100_000)])
    func notJSON(body: String) async throws {
        try await Daemon.run { daemon in
            let reply = try daemon.send("PUT", "/v1/ports/vm2", body)
            #expect(reply.status == 400)
            #expect(daemon.ports == [])
        }
    }

    @Test("entity tags keep updates from being lost")
    func conditions() async throws {
        try await Daemon.run { daemon in
            func tag() throws -> String {
                try #require(try daemon.send("GET", "/v1/ports/vm1").headers["etag"])
            }
            let first = try tag()
            let fresh = #"{"network": "red", "kind": "tap", "floodUnknown": false}"#
            #expect(
                try daemon.send("PUT", "/v1/ports/vm1", fresh, ["If-Match": first]).status == 200)
            let late = try daemon.send("PUT", "/v1/ports/vm1", Daemon.vm2, ["If-Match": first])
            #expect(late.status == 412)
            #expect(
                try daemon.send("DELETE", "/v1/ports/vm1", "", ["If-Match": first]).status == 412)
            #expect(
                try daemon.send("DELETE", "/v1/ports/vm1", "", ["If-Match": try tag()]).status
                    == 204)
            #expect(try tag() == first)
            #expect(
                try daemon.send("PUT", "/v1/ports/vm1", Daemon.vm2, ["If-None-Match": "*"]).status
                    == 412)
            #expect(
                try daemon.send("PUT", "/v1/ports/vm2", Daemon.vm2, ["If-None-Match": "*"]).status
                    == 201)
        }
    }

    @Test("a condition that makes no sense is refused", arguments: ["", "AAA", "\"a\",b", "\""])
    func badCondition(text: String) async throws {
        try await Daemon.run { daemon in
            for header in ["If-Match", "If-None-Match"] {
                let reply = try daemon.send("PUT", "/v1/ports/vm1", Daemon.vm2, [header: text])
                #expect(reply.status == 400)
            }
            #expect(daemon.ports == [])
        }
    }

    @Test("what the file has just so is not kept a second time")
    func sameAsFile() async throws {
        try await Daemon.run { daemon in
            let body = #"{"network": "red", "kind": "tap"}"#
            let same = try daemon.send("PUT", "/v1/ports/vm1", body)
            #expect(same.status == 200)
            #expect(try daemon.port("vm1").origin == .file)
            #expect(try daemon.send("PUT", "/v1/ports/vm1", Daemon.vm2).status == 200)
            #expect(try daemon.send("PUT", "/v1/ports/vm1", body).status == 200)
            #expect(try daemon.port("vm1").origin == .file)
        }
    }

    @Test("what is stored can be read again, lists of nothing too")
    func emptyLists() async throws {
        try await withDirectory { directory in
            try await Daemon.run(in: directory) { daemon in
                let body = #"{"network": "red", "kind": "tap", "macs": [], "ips": ["10.0.0.7"]}"#
                let refused = try daemon.send("PUT", "/v1/ports/vm7", body)
                #expect(refused.status == 422)
                #expect(try daemon.error(refused).problems?.map(\.field) == ["ips"])
                let empty = #"{"network": "red", "kind": "tap", "macs": [], "ips": []}"#
                #expect(try daemon.send("PUT", "/v1/ports/vm7", empty).status == 201)
                #expect(
                    try daemon.send(
                        "PUT", "/v1/peers/c", #"{"address": "10.1.0.3", "networks": []}"#
                    ).status == 201)
                #expect(
                    try daemon.send(
                        "PUT", "/v1/networks/n", #"{"vni": 7, "gateway": [], "endpoints": []}"#
                    )
                    .status == 201)
            }
            try await Daemon.run(in: directory) { daemon in
                let port = try daemon.port("vm7")
                #expect(port.origin == .api)
            }
        }
    }

    @Test("a network that is set and taken away again keeps the endpoints that were set one by one")
    func singleEndpoints() async throws {
        try await Daemon.run { daemon in
            let path = "/v1/networks/red"
            let mac = "02:00:00:00:00:05"
            _ = try daemon.send("PUT", "\(path)/endpoints/\(mac)", #"{"peer": "b"}"#)
            let body = try JSON.decode(JSONTree.self, from: daemon.send("GET", path).body)
            guard case .object(var spec)? = body["spec"] else {
                Issue.record("no spec")
                return
            }
            spec["ageing"] = .integer(60)
            let text = String(decoding: try JSON.encode(JSONTree.object(spec)), as: UTF8.self)
            #expect(try daemon.send("PUT", path, text).status == 200)
            #expect(try daemon.send("DELETE", path).status == 204)
            let macs = daemon.follower.applied.withLock { applied in
                applied.last?.networks[0].endpoints.map { "\($0.mac)" }
            }
            #expect(macs == ["02:00:00:00:00:01", mac])
        }
    }

    @Test("an address that is given to another endpoint is taken from the one that had it")
    func movedAddress() async throws {
        try await Daemon.run { daemon in
            let path = "/v1/networks/red"
            _ = try daemon.send("PUT", "\(path)/endpoints/02:00:00:00:00:05", #"{"peer": "b"}"#)
            _ = try daemon.send(
                "PUT", "\(path)/neighbours/10.0.0.1", #"{"mac": "02:00:00:00:00:05"}"#)
            let ips = daemon.follower.applied.withLock { applied in
                applied.last?.networks[0].endpoints.map { $0.ips.map(\.description) }
            }
            #expect(ips == [[], ["10.0.0.1"]])
            #expect(
                try daemon.send("DELETE", "\(path)/neighbours/10.0.0.1", "", ["If-Match": "*"])
                    .status == 400)
        }
    }

    @Test("conditions hold for endpoints too")
    func endpointConditions() async throws {
        try await Daemon.run { daemon in
            let path = "/v1/networks/red/endpoints/02:00:00:00:00:05"
            let body = #"{"peer": "b"}"#
            _ = try daemon.send("PUT", path, body, ["If-None-Match": "*"])
            #expect(try daemon.send("PUT", path, body, ["If-None-Match": "*"]).status == 412)
            #expect(try daemon.send("DELETE", path, "", ["If-Match": "\"0\""]).status == 412)
        }
    }

    @Test("what others need is not taken away, and a misspelt flag is not ignored")
    func needed() async throws {
        try await Daemon.run { daemon in
            #expect(try daemon.send("PUT", "/v1/networks/blue", #"{"vni": 7}"#).status == 201)
            let body = #"{"network": "blue", "kind": "tap"}"#
            #expect(try daemon.send("PUT", "/v1/ports/vm7", body).status == 201)
            let refused = try daemon.send("DELETE", "/v1/networks/blue")
            #expect(refused.status == 409)
            #expect(try daemon.error(refused).problems?.map(\.field) == ["ports/vm7.network"])

            let misspelt = try daemon.send("POST", "/v1/apply?dryrun", "ports: []")
            #expect(misspelt.status == 400)
            let other = try daemon.send("POST", "/v1/apply", "host: z\nworkers: 3")
            #expect(other.status == 409)
            #expect(try daemon.error(other).error.hasPrefix("host, workers: "))
        }
    }

    @Test("concurrent writers are all heard")
    func writers() async throws {
        try await Daemon.run { daemon in
            let threads = (0..<8).map { writer in
                let thread = BlockingThread {
                    for round in 0..<5 {
                        let reply = try? daemon.send(
                            "PUT", "/v1/ports/w\(writer)-\(round)",
                            #"{"network": "red", "kind": "tap"}"#)
                        #expect(reply?.status == 201)
                    }
                }
                thread.start()
                return thread
            }
            for thread in threads { thread.join() }
            #expect(Set(daemon.ports).count == 41)
        }
    }

    @Test("apply takes a whole state, or nothing; a dry run only says")
    func apply() async throws {
        try await Daemon.run { daemon in
            let document = """
                ports:
                  - {name: vm1, network: red, kind: tap}
                  - {name: vm2, network: red, kind: tap}
                peers: [{name: b, address: 10.1.0.9}]
                """
            func apply(_ query: String, _ text: String) throws -> ApplyReply {
                let reply = try daemon.send("POST", "/v1/apply\(query)", text)
                #expect(reply.status == 200)
                return try JSON.decode(ApplyReply.self, from: reply.body)
            }
            let dry = try apply("?dryRun", document)
            #expect(!dry.applied && daemon.ports.isEmpty)
            #expect(dry.changes.map(\.name) == ["vm2", "b"])
            #expect(dry.changes.map(\.action) == [.add, .change])
            let done = try apply("", document)
            #expect(done.applied && done.changes == dry.changes)
            #expect(done.revision != dry.revision)
            #expect(daemon.ports == ["vm1", "vm2"])
            #expect(try apply("", document).changes.isEmpty)

            let lacking = try daemon.send("POST", "/v1/apply", "ports: []")
            #expect(lacking.status == 409)
            #expect(try daemon.error(lacking).error.contains("port vm1"))
            let wrong = try daemon.send("POST", "/v1/apply", "\nports: [{name: x}]")
            #expect(wrong.status == 422)
            #expect(try daemon.error(wrong).problems?.first?.line == 2)
            #expect(daemon.ports == ["vm1", "vm2"])
        }
    }

    @Test("endpoints and neighbours are fixed and forgotten one by one")
    func tables() async throws {
        try await Daemon.run { daemon in
            func ips(_ mac: String) -> [String]? {
                daemon.follower.applied.withLock { applied in
                    applied.last?.networks[0].endpoints.first { "\($0.mac)" == mac }?.ips
                        .map(\.description)
                }
            }
            let path = "/v1/networks/red"
            let mac = "02:00:00:00:00:05"
            // Not in the table, because the datapath is none; but in the desired state.
            _ = try daemon.send("PUT", "\(path)/endpoints/\(mac)", #"{"peer": "b"}"#)
            #expect(ips(mac) == [])
            _ = try daemon.send("PUT", "\(path)/neighbours/10.0.0.5", "{\"mac\": \"\(mac)\"}")
            #expect(ips(mac) == ["10.0.0.5"])
            #expect(try daemon.send("DELETE", "\(path)/neighbours/10.0.0.5").status == 204)
            #expect(ips(mac) == [])
            #expect(try daemon.send("DELETE", "\(path)/endpoints/\(mac)").status == 204)
            #expect(ips(mac) == nil)
            #expect(try daemon.send("DELETE", "\(path)/endpoints/02:00:00:00:00:01").status == 409)
            // Learned ones.
            #expect(try daemon.send("DELETE", "\(path)/endpoints/02:00:00:00:00:07").status == 204)
            #expect(try daemon.send("DELETE", "\(path)/endpoints/02:00:00:00:00:08").status == 404)
            #expect(try daemon.send("DELETE", "\(path)/neighbours/10.0.0.7").status == 204)
            #expect(try daemon.send("DELETE", "\(path)/neighbours/10.0.0.8").status == 404)
            let wrong = try daemon.send("PUT", "\(path)/endpoints/\(mac)", #"{"peer": "x"}"#)
            #expect(wrong.status == 422)
            #expect(try daemon.error(wrong).problems?.map(\.field) == ["peer"])
            #expect(try daemon.send("PUT", "\(path)/endpoints/zz", "{}").status == 422)
            #expect(try daemon.send("GET", "/v1/networks/blue/endpoints").status == 404)
        }
    }
}
