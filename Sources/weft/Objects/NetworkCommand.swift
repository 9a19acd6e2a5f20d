import ArgumentParser
import ControlAPI

/// `weft network`: the isolated L2 segments.
struct NetworkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "The networks of this host: list, show, add, set, remove.",
        discussion: """
            What is set is kept across restarts, and goes before what the configuration file says \
            under the same name; removing it gives the file's back.

            Examples:
              weft network add blue --vni 200
              weft network set blue --mtu 1400 --gateway 10.0.0.254
              weft network set blue --unset mtu
              weft network remove blue
            """,
        subcommands: Networks.commands, defaultSubcommand: ListObjects<Networks>.self)
}

/// The isolated L2 segments.
enum Networks: ObjectKind {
    static let kind = "network"

    struct Fields: ObjectFields {
        @Option(help: "VXLAN network identifier, 1...16777215, the same on all hosts.")
        var vni: Int?
        @Option(help: "Largest IP packet of VMs in bytes.")
        var mtu: Int?
        @Option(
            name: .customLong("gateway"),
            help: "Its gateway's address; repeat for more, '' for none.")
        var gateways: [String] = []
        @Flag(inversion: .prefixedNo, help: "Source addresses of frames fill the endpoint table.")
        var learning: Bool?
        @Option(help: "Seconds after which a learned endpoint is forgotten, 10...86400.")
        var ageing: Int?
        @Option(help: "What becomes of inner VLAN tags: drop or pass.")
        var vlan: String?
        @Flag(inversion: .prefixedNo, help: "The host answers ARP for stations that it knows.")
        var arpSuppression: Bool?
        @OptionGroup var others: FieldOptions

        var gathered: FieldChanges {
            var changes = FieldChanges(others)
            changes.set("vni", vni)
            changes.set("mtu", mtu)
            changes.set("gateway", gateways)
            changes.set("learning", learning)
            changes.set("ageing", ageing)
            changes.set("vlan", vlan)
            changes.set("arpSuppression", arpSuppression)
            return changes
        }
    }

    static func table(_ objects: [ObjectReply<NetworkStatus>]) -> String {
        var table = TextTable([
            ("NETWORK", .left), ("VNI", .right), ("MTU", .right), ("PORTS", .right),
            ("PEERS", .right), ("ENDPOINTS", .right), ("FROM", .left), ("GATEWAY", .left),
        ])
        for network in objects {
            let status = network.status
            func number(_ value: Int?) -> String { value.map(String.init) ?? "-" }
            table.add([
                network.spec.cell("name"), network.spec.cell("vni"), number(status?.mtu),
                number(status?.ports), number(status?.peers), number(status?.endpoints),
                network.origin.rawValue, network.spec.cell("gateway"),
            ])
        }
        return table.text
    }
}
