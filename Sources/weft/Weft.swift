import ArgumentParser
import ControlAPI

/// The command line: what a person asks of a daemon, and the lab to try it all in.
@main
struct Weft: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft",
        abstract: "Look at the overlay and change it, and try it in a lab on this machine.",
        discussion: """
            Ends with 0 if all went well, 1 if the daemon refused or did not answer, 64 if the \
            command line is wrong; other exit codes are in a command's own help.
            """,
        version: Release.version,
        groupedSubcommands: [
            CommandGroup(
                name: "Look",
                subcommands: [
                    StatusCommand.self, StatsCommand.self, TopCommand.self, WatchCommand.self,
                    TraceCommand.self,
                    CaptureCommand.self,
                ]),
            CommandGroup(
                name: "Look and change",
                subcommands: [
                    NetworkCommand.self, PortCommand.self, PeerCommand.self, EndpointCommand.self,
                    NeighborCommand.self, ApplyCommand.self, DiffCommand.self,
                ]),
            CommandGroup(name: "Try", subcommands: [LabCommand.self, DemoCommand.self]),
            CommandGroup(name: "Set up", subcommands: [CompletionCommand.self]),
        ])
}
