import ArgumentParser
import ControlAPI

/// `weft peer`: the other hosts.
struct PeerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer",
        abstract: "The other hosts: list, show, add, set, remove.",
        discussion: """
            What is set is kept across restarts, and goes before what the configuration file says \
            under the same name; removing it gives the file's back.

            Examples:
              weft peer add host-d --address 172.31.0.13
              weft peer set host-d --network red --network blue
              weft peer remove host-d
            """,
        subcommands: Peers.commands, defaultSubcommand: ListObjects<Peers>.self,
        aliases: ["peers"])
}

/// The other hosts.
enum Peers: ObjectKind {
    static let kind = "peer"

    struct Fields: ObjectFields {
        @Option(help: "Its address on the underlay.")
        var address: String?
        @Option(
            name: .customLong("network"),
            help: "A network that it takes part in, of all unless given; repeat for more.")
        var networks: [String] = []
        @OptionGroup var others: FieldOptions

        var gathered: FieldChanges {
            var changes = FieldChanges(others)
            changes.set("address", address)
            changes.set("networks", networks)
            return changes
        }
    }

    static func table(_ objects: [ObjectReply<PeerStatus>]) -> String {
        var table = TextTable([
            ("PEER", .left), ("ADDRESS", .left), ("PATH MTU", .right), ("FROM", .left),
            ("NETWORKS", .left),
        ])
        for peer in objects {
            table.add([
                peer.spec.cell("name"), peer.spec.cell("address"),
                peer.status.map { "\($0.pathMTU)" } ?? "-", peer.origin.rawValue,
                peer.spec.cell("networks", or: "all"),
            ])
        }
        return table.text
    }
}
