import ControlAPI
import Foundation
import Testing
import weftd

@Suite("Events")
struct EventTests {
    @Test("a listener hears what happens after it began, in order")
    func order() async {
        let hub = EventHub()
        hub.tell(Event(.portUp, port: "before"))
        #expect(!hub.isHeard)
        let stream = hub.listen()
        #expect(hub.isHeard)
        for index in 0..<100 { hub.tell(Event(.portUp, port: "\(index)")) }
        var heard: [String] = []
        for await event in stream {
            heard.append(event?.port ?? "")
            if heard.count == 100 { break }
        }
        #expect(heard == (0..<100).map(String.init))
    }

    @Test("who is too slow is told how much it missed, and nobody waits")
    func slow() async {
        let hub = EventHub()
        let stream = hub.listen()
        let extra = 37
        for index in 0..<EventHub.backlog + extra { hub.tell(Event(.portUp, port: "\(index)")) }
        var iterator = stream.makeAsyncIterator()
        for _ in 0..<10 { _ = await iterator.next() }
        hub.tell(Event(.portDown, port: "last"))
        var rest: [Event] = []
        for _ in 0..<EventHub.backlog - 10 + 2 {
            if let event = await iterator.next(), let event { rest.append(event) }
        }
        let lost = rest.filter { $0.event == .eventsLost }.compactMap(\.lost)
        #expect(lost == [extra])
        #expect(rest.last?.port == "last")
    }

    @Test("a listener that goes away is forgotten")
    func gone() async throws {
        let hub = EventHub()
        let task = Task { for await _ in hub.listen() {} }
        while !hub.isHeard { await Task.yield() }
        task.cancel()
        await task.value
        #expect(!hub.isHeard)
    }

    @Test("lines of JSON arrive as they happen, with a beat between")
    func stream() async throws {
        let hub = EventHub()
        try await withDirectory { directory in
            let socket = directory + "/weft.sock"
            let server = ControlServer(
                socket: socket, mode: 0o600, group: "0", routes: eventRoutes(hub), logger: quiet)
            let client = ControlClient(socket: socket, timeoutSeconds: 10)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await server.run() }
                while (try? client.probe()) == nil { try await Task.sleep(for: .milliseconds(5)) }
                let lines = try await blocking {
                    var stream = try client.stream("GET", "/v1/events")
                    while !hub.isHeard { usleep(1000) }
                    var lines: [Event] = []
                    for name in ["a", "b"] {
                        hub.tell(Event(.endpointMoved, mac: name, from: .port("p"), to: .peer("q")))
                        let bytes = try #require(try stream.next())
                        lines.append(try JSON.decode(Event.self, from: bytes))
                    }
                    return lines
                }
                #expect(lines.map(\.mac) == ["a", "b"])
                #expect(lines[0].from == .port("p") && lines[0].to == .peer("q"))
                #expect(lines[0].time.hasSuffix("Z"))
                tasks.cancelAll()
            }
        }
        // Cancelled with the server.
        for _ in 0..<500 where hub.isHeard { try await Task.sleep(for: .milliseconds(10)) }
        #expect(!hub.isHeard)
    }
}
