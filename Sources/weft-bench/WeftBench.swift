import ArgumentParser

/// The benchmark harness; without a subcommand it measures.
@main
struct WeftBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft-bench",
        abstract: "Measure the overlay, and what it is compared with, on an emulated VPC.",
        subcommands: [
            RunCommand.self, ScaleCommand.self, CompareCommand.self, GenerateCommand.self,
            SinkCommand.self, SendDatagramsCommand.self, ReceiveDatagramsCommand.self,
            ConnectCommand.self, AcceptCommand.self,
        ],
        defaultSubcommand: RunCommand.self)
}
