public import ArgumentParser
import Glibc
public import Lab

/// `weft lab`: an emulated provider's network to look around in.
struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "A VPC in network namespaces, left standing to look around in.",
        subcommands: [Up.self, Down.self, Exec.self, Status.self])

    /// The lab that a subcommand is about.
    struct Selection: ParsableArguments {
        @Option(help: "The lab's name, which begins the names of its namespaces.")
        var name = "lab"
    }
}

extension LabCommand {
    struct Up: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Build a lab of hosts on a filtering switch and leave it standing.")

        @OptionGroup var selection: Selection
        @Option(help: "How many hosts.")
        var hosts = 3
        @Option(help: "The underlay's MTU in bytes: 1500, or 9001 as in an EC2 VPC.")
        var mtu = 1500
        @Option(help: "What the wire's ends can do: nic (as ENA) or ideal (a bare veth).")
        var profile = WireProfile.nic
        @Flag(help: "Give the hosts IPv6 underlay addresses too.")
        var ipv6 = false
        @Flag(help: "Stay, and take the lab down on Ctrl-C.")
        var foreground = false

        func validate() throws {
            guard (1...UnderlayPlan.hostLimit).contains(hosts) else {
                throw ValidationError("--hosts is 1 to \(UnderlayPlan.hostLimit)")
            }
            guard (1280...9216).contains(mtu) else {
                throw ValidationError("--mtu is 1280 to 9216")
            }
        }

        func run() throws {
            Interruption.catchSignals()
            let options = LabOptions(mtu: mtu, profile: profile, ipv6Underlay: ipv6)
            let lab = try Lab(name: selection.name, options: options)
            do {
                for _ in 0..<hosts { try lab.addHost() }
                if foreground {
                    print(try Lab.overview(of: lab.name))
                    fflush(nil)
                    while true { try pause(.seconds(1)) }
                }
                try lab.leaveStanding()
            } catch {
                lab.tearDown()
                guard foreground, Interruption.isRequested else { throw error }
                return
            }
            print(try Lab.overview(of: lab.name))
            print("try: weft lab exec --name \(lab.name) one-0 -- ping -c 1 172.31.0.11")
        }
    }

    struct Down: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a lab: its processes, namespaces and files.")

        @OptionGroup var selection: Selection

        func run() throws {
            try Lab.remove(name: selection.name)
        }
    }

    struct Exec: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a command on a host or in a VM of a lab.")

        @OptionGroup var selection: Selection
        @Argument(help: "A host (one-0), a VM, or vpc, the switch.")
        var member: String
        @Argument(parsing: .postTerminator, help: "After --: the command and its arguments.")
        var command: [String] = ["bash"]

        func run() throws {
            let namespace = try Lab.namespace(of: member, inLab: selection.name)
            // Becomes the command: it has the terminal and its signals to itself.
            let arguments = ["ip", "netns", "exec", namespace.name] + command
            var argv = arguments.map { strdup($0) } + [nil]
            execvp("ip", &argv)
            throw ValidationError("ip cannot be run: \(String(cString: strerror(errno)))")
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the labs of this machine, their hosts, VMs and processes.")

        func run() throws {
            let names = Lab.names
            if names.isEmpty { print("no lab is up") }
            for name in names { print(try Lab.overview(of: name)) }
        }
    }
}

extension WireProfile: ExpressibleByArgument {}
