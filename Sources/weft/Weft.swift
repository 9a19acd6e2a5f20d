import ArgumentParser

/// The command line: what a person asks of a daemon, and the lab to try it all in.
@main
struct Weft: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft",
        abstract: "Look at the overlay, and try it in a lab on this machine.",
        subcommands: [
            StatusCommand.self, EndpointsCommand.self, StatsCommand.self, LabCommand.self,
            DemoCommand.self,
        ])
}
