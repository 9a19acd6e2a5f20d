import ControlAPI
import FoundationEssentials
import Testing
import weftd

@Suite("POST /v1/trace")
struct TraceRouteTests {
    @Test("says what becomes of a frame") func answers() async throws {
        try await Daemon.run { daemon in
            let reply = try daemon.send(
                "POST", "/v1/trace", #"{"port": "vm1", "dst": "10.0.0.2", "proto": "udp"}"#)
            #expect(reply.status == 200)
            let trace = try JSON.decode(TraceReply.self, from: reply.body)
            #expect(trace.verdict.result == .sent)
            #expect(trace.steps == [TraceStep(.destination, "10.0.0.2")])
        }
    }

    @Test(
        "names the field that makes no sense",
        arguments: [
            (#"{"port": "vm9", "dst": "10.0.0.2"}"#, "port"),
            (#"{"port": "vm1", "dest": "10.0.0.2"}"#, "dest"),
            (#"{"port": "vm1", "proto": "sctp"}"#, "proto"),
            (#"{"port": 1}"#, "port"), (#"{"port": "vm1", "vlan": "x"}"#, "vlan"),
        ])
    func refusesFields(_ body: String, _ field: String) async throws {
        try await Daemon.run { daemon in
            let reply = try daemon.send("POST", "/v1/trace", body)
            #expect(reply.status == 400)
            let error = try daemon.error(reply)
            #expect(error.problems?.map(\.field) == [field], "\(body): \(error)")
        }
    }

    @Test("wants JSON", arguments: ["", "x", "[]", "{", "1"])
    func refusesOthers(_ body: String) async throws {
        try await Daemon.run { daemon in
            let reply = try daemon.send("POST", "/v1/trace", body)
            #expect(reply.status == 400)
            let got = try daemon.send("GET", "/v1/trace")
            #expect(got.status == 405)
        }
    }
}
