public import ArgumentParser
public import ControlAPI
import Glibc

/// `weft watch`: what happens, as it happens.
struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Ports that come and go, stations that are seen and move, peers, changes.",
        discussion: """
            A line for each event, until interrupted. With --json a line of JSON each. Ends with 1 \
            when the daemon does.

            Examples:
              weft watch --event endpointMoved
              weft watch --json | jq .mac
            """)

    @OptionGroup var daemon: DaemonOptions
    @Option(
        name: .customLong("event"),
        help: ArgumentHelp(
            "Only events of this kind; repeat for more.", valueName: "kind"))
    var kinds: [Event.Kind] = []

    func run() throws {
        var stream = try daemon.client.stream("GET", "/v1/events")
        var line: [UInt8] = []
        while let chunk = try stream.next() {
            for byte in chunk {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    continue
                }
                if !line.isEmpty { try show(line) }
                line = []
            }
        }
        throw ControlError.notRunning(socket: daemon.socket, reason: "it has ended; it was on")
    }

    private func show(_ line: [UInt8]) throws {
        // A newer daemon may tell of what this program does not know.
        guard let event = try? JSON.decode(Event.self, from: line) else {
            if kinds.isEmpty { say(String(decoding: line, as: UTF8.self)) }
            return
        }
        guard kinds.isEmpty || kinds.contains(event.event) else { return }
        say(daemon.json ? String(decoding: line, as: UTF8.self) : EventLine.render(event))
    }

    /// Whoever reads through a pipe wants it now.
    private func say(_ text: String) {
        print(text)
        fflush(nil)
    }
}

extension Event.Kind: ExpressibleByArgument {}

/// An event on a line.
package enum EventLine {
    /// The time, what happened, and where.
    package static func render(_ event: Event) -> String {
        var parts = ["\(event.time)", event.event.rawValue]
        if let network = event.network { parts.append("network \(network)") }
        if let port = event.port { parts.append("port \(port)") }
        if let peer = event.peer { parts.append("peer \(peer)") }
        if let mac = event.mac { parts.append(mac) }
        if let from = event.from { parts.append("from \(text(from))") }
        if let to = event.to { parts.append("at \(text(to))") }
        for change in event.changes ?? [] {
            parts.append("\(change.action.rawValue) \(change.kind) \(change.name);")
        }
        if let lost = event.lost { parts.append("\(lost) events") }
        if let detail = event.detail { parts.append("(\(detail))") }
        return parts.joined(separator: " ")
    }

    private static func text(_ location: EndpointLocation) -> String {
        switch location {
        case .port(let name): "port \(name)"
        case .peer(let name): "peer \(name)"
        }
    }
}
