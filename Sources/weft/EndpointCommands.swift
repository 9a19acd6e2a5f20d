import ArgumentParser
import ControlAPI

/// `weft endpoint`: which stations are where.
struct EndpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint",
        abstract: "Which stations are known, with their addresses, and where they are.",
        discussion: """
            Endpoints are learned from frames, or fixed: by the configuration, by ports that name \
            their MACs, or here. What `bridge fdb` does for a kernel bridge.

            Examples:
              weft endpoint list --network red
              weft endpoint add red 02:00:0a:00:00:09 --peer host-b --ip 10.0.0.9
              weft endpoint remove red 02:00:0a:00:00:09     (also forgets a learned one)
            """,
        subcommands: [ListEndpoints.self, AddEndpoint.self, RemoveEndpoint.self],
        defaultSubcommand: ListEndpoints.self, aliases: ["endpoints"])
}

/// `weft endpoint list`.
struct ListEndpoints: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The endpoint table.")

    @OptionGroup var daemon: DaemonOptions
    @Option(help: "Only those of this network.")
    var network: String?

    func run() throws {
        let path = network.map { "/v1/networks/\(escaped($0))/endpoints" } ?? "/v1/endpoints"
        try daemon.show(path) { client in
            EndpointsScreen.render(try client.ask(EndpointList.self, "GET", path).value.endpoints)
        }
    }
}

/// `weft endpoint add`.
struct AddEndpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Fix a station behind a peer, or change that.")

    @Argument(help: "The network's name.") var network: String
    @Argument(help: "The station's MAC.") var mac: String
    @Option(help: "The peer that it is behind.") var peer: String
    @Option(name: .customLong("ip"), help: "An address that it has; repeat for more.")
    var ips: [String] = []
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        var fields: [String: JSONTree] = ["peer": .string(peer)]
        if !ips.isEmpty { fields["ips"] = .strings(ips) }
        _ = try daemon.client.request(
            "PUT", "/v1/networks/\(escaped(network))/endpoints/\(escaped(mac))",
            body: try JSON.encode(JSONTree.object(fields)))
    }
}

/// `weft endpoint remove`.
struct RemoveEndpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forget a learned station, or take away one that was added.",
        aliases: ["rm", "del"])

    @Argument(help: "The network's name.") var network: String
    @Argument(help: "The station's MAC.") var mac: String
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        _ = try daemon.client.request(
            "DELETE", "/v1/networks/\(escaped(network))/endpoints/\(escaped(mac))")
    }
}
