import ControlAPI
import Foundation
import Logging
import Synchronization
import Testing
import weftd

/// What a reload of the file says.
@Suite("A reload in the log")
struct ReloadLogTests {
    /// Keeps what is logged.
    private final class Events: Sendable {
        private let events = Mutex<[LogEvent]>([])
        var all: [LogEvent] { events.withLock { $0 } }
        func add(_ event: LogEvent) { events.withLock { $0.append(event) } }
    }

    private struct Handler: LogHandler {
        let events: Events
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { events.add(event) }
    }

    @Test("of a wrong file is one event, in one line, with its path once")
    func wrongFile() async throws {
        try await withDirectory { directory in
            let file = directory + "/weft.yaml"
            try Data("host: a\nunderlay: {address: 10.1.0.1}\n".utf8).write(to: URL(filePath: file))
            let events = Events()
            let logger = Logger(label: "test") { _ in Handler(events: events) }
            let start = try StartingState(
                file: file, statePath: directory + "/state.json", logger: quiet)
            let state = DesiredState(
                start, follower: FakeFollower(), events: EventHub(), logger: logger)
            let mistakes = (0..<7).map { "k\($0): 1" }.joined(separator: "\n")
            try Data("host: a\nunderlay: {address: 10.1.0.1}\n\(mistakes)\n".utf8)
                .write(to: URL(filePath: file))
            await state.reload()
            #expect(events.all.count == 1)
            let event = try #require(events.all.first)
            let message = "\(event.message)"
            #expect(event.level == .error)
            #expect(message.hasPrefix("\(file) not taken over: 3:1: "), "\(message)")
            #expect(message.contains("; 7:1: ") && message.hasSuffix("; and 2 more"), "\(message)")
            #expect(message.components(separatedBy: file).count == 2)
            #expect(!message.contains("\n"))
            guard case .array(let problems)? = event.metadata?["problems"] else {
                Issue.record("no problems beside the message")
                return
            }
            #expect(problems.count == 7)
            guard case .dictionary(let first)? = problems.first else { return }
            #expect(first["line"] == "3" && first["column"] == "1" && first["key"] == "k0")
        }
    }
}
