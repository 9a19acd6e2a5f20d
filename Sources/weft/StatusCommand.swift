import ArgumentParser
import ControlAPI

/// Which daemon a command talks to.
struct SocketOptions: ParsableArguments {
    @Option(help: "Path of weftd's control socket.")
    var socket = ControlClient.defaultSocket

    var client: ControlClient { ControlClient(socket: socket) }
}

/// Which daemon a command talks to, and in which form it answers.
struct DaemonOptions: ParsableArguments {
    @Option(help: "Path of weftd's control socket.")
    var socket = ControlClient.defaultSocket
    @Flag(help: "Print the daemon's reply as it is, in JSON.")
    var json = false

    var client: ControlClient { ControlClient(socket: socket) }

    /// Prints the reply to `GET path`, or what `render` makes of it.
    func show(_ path: String, _ render: (ControlClient) throws -> String) throws {
        if json {
            print(String(decoding: try client.get(path), as: UTF8.self), terminator: "")
        } else {
            print(try render(client), terminator: "")
        }
    }
}

/// `weft status`: a host on one screen.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "What this host's weftd does: features, networks, ports, peers, drops.")

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        try daemon.show("/v1/status") { StatusScreen.render(try $0.status()) }
    }
}

/// `weft stats`: every counter.
struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "What the workers counted, and every reason for which something was dropped.")

    @OptionGroup var daemon: DaemonOptions
    @Flag(help: "Show the reasons too for which nothing was dropped.")
    var all = false

    func run() throws {
        try daemon.show("/v1/status") { StatsScreen.render(try $0.status().counters, all: all) }
    }
}
