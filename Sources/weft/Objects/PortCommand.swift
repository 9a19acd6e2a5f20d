import ArgumentParser
import ControlAPI

/// `weft port`: where VMs meet the networks.
struct PortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "port",
        abstract: "The ports of this host: list, show, add, set, remove.",
        discussion: """
            What is set is kept across restarts, and goes before what the configuration file says \
            under the same name; removing it gives the file's back.

            Examples:
              weft port add vm7 --network blue --kind tap --mac 02:00:0a:00:00:07 --ip 10.0.0.7
              weft port add web --network blue --kind interface --device vnet3
              weft port set vm7 --ip 10.0.0.7 --ip 10.0.0.8 --no-flood-unknown
              weft port show vm7 --json
              weft port remove vm7
            """,
        subcommands: Ports.commands, defaultSubcommand: ListObjects<Ports>.self)
}

/// Where VMs, bridges, containers and the host meet the networks.
enum Ports: ObjectKind {
    static let kind = "port"

    struct Fields: ObjectFields {
        @Option(help: "Name of its network.")
        var network: String?
        @Option(help: "tap, interface or host.")
        var kind: String?
        @Option(help: "Name of the device; of tap and host weft-NAME unless given.")
        var device: String?
        @Option(help: "Network namespace of the device, a name or a path.")
        var netns: String?
        @Option(
            name: .customLong("mac"),
            help: "A MAC that may be its source; repeat for more, '' for any.")
        var macs: [String] = []
        @Option(
            name: .customLong("ip"),
            help: "An address that may be its source; repeat for more, '' for any.")
        var ips: [String] = []
        @Option(
            name: .customLong("address"), help: "An address of a host port, like 10.0.0.1/24.")
        var addresses: [String] = []
        @Flag(inversion: .prefixedNo, help: "Many stations are behind it (a bridge).")
        var trunk: Bool?
        @Flag(inversion: .prefixedNo, help: "Frames to unknown stations go to it.")
        var floodUnknown: Bool?
        @OptionGroup var others: FieldOptions

        var gathered: FieldChanges {
            var changes = FieldChanges(others)
            changes.set("network", network)
            changes.set("kind", kind)
            changes.set("device", device)
            changes.set("netns", netns)
            changes.set("macs", macs)
            changes.set("ips", ips)
            changes.set("addresses", addresses)
            changes.set("trunk", trunk)
            changes.set("floodUnknown", floodUnknown)
            return changes
        }
    }

    static func table(_ objects: [ObjectReply<PortStatus>]) -> String {
        var table = TextTable([
            ("PORT", .left), ("NETWORK", .left), ("KIND", .left), ("DEVICE", .left),
            ("STATE", .left), ("FROM", .left), ("MACS", .left), ("IPS", .left),
        ])
        for port in objects {
            table.add([
                port.spec.cell("name"), port.spec.cell("network"), port.spec.cell("kind"),
                port.spec.cell("device"), port.status?.state.rawValue ?? "-",
                port.origin.rawValue, port.spec.cell("macs", or: "any"),
                port.spec.cell("ips", or: "any"),
            ])
        }
        return table.text
    }
}
