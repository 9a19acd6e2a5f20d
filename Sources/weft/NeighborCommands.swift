import ArgumentParser
import ControlAPI

/// `weft neighbor`: which MAC has which address.
struct NeighborCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neighbor",
        abstract: "Which MAC has which address: what ARP and ND are answered from.",
        discussion: """
            Examples:
              weft neighbor list --network red
              weft neighbor add red 10.0.0.9 --mac 02:00:0a:00:00:09
              weft neighbor remove red 10.0.0.9              (also forgets a learned one)
            """,
        subcommands: [ListNeighbors.self, AddNeighbor.self, RemoveNeighbor.self],
        defaultSubcommand: ListNeighbors.self, aliases: ["neighbors", "neighbour", "neighbours"])
}

/// `weft neighbor list`.
struct ListNeighbors: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The neighbour table.")

    @OptionGroup var daemon: DaemonOptions
    @Option(help: "Only those of this network.")
    var network: String?

    func run() throws {
        let path = network.map { "/v1/networks/\(escaped($0))/neighbours" } ?? "/v1/neighbours"
        try daemon.show(path) { client in
            NeighborsScreen.render(
                try client.ask(NeighbourList.self, "GET", path).value.neighbours)
        }
    }
}

/// `weft neighbor add`.
struct AddNeighbor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Give an endpoint that was fixed an address more.")

    @Argument(help: "The network's name.") var network: String
    @Argument(help: "The address.") var ip: String
    @Option(help: "The MAC that has it, of a fixed endpoint.") var mac: String
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        _ = try daemon.client.request(
            "PUT", "/v1/networks/\(escaped(network))/neighbours/\(escaped(ip))",
            body: try JSON.encode(JSONTree.object(["mac": .string(mac)])))
    }
}

/// `weft neighbor remove`.
struct RemoveNeighbor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forget who has an address, or take it from the endpoint that was given it.",
        aliases: ["rm", "del"])

    @Argument(help: "The network's name.") var network: String
    @Argument(help: "The address.") var ip: String
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        _ = try daemon.client.request(
            "DELETE", "/v1/networks/\(escaped(network))/neighbours/\(escaped(ip))")
    }
}
