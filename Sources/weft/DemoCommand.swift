import ArgumentParser
import Lab

/// `weft demo`: the overlay at work on one machine.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Build three hosts and two networks of VMs, and show that they hold.",
        discussion: """
            Needs root, makes only network namespaces, and removes all of it at the end, also \
            after Ctrl-C. The exit status is 0 if every check held.
            """)

    @Option(help: "The name of the demo's lab, which begins the names of its namespaces.")
    var name = "demo"
    @Option(help: "The underlay's MTU in bytes: 1500, or 9001 as in an EC2 VPC.")
    var mtu = 1500
    @Option(help: "What the wire's ends can do: nic (as ENA) or ideal (a bare veth).")
    var profile = WireProfile.nic
    @Flag(help: "Carry the overlay over IPv6.")
    var ipv6 = false
    @Flag(
        name: .customLong("real-vms"),
        help: "Show reachability with real guests, booted under QEMU, in place of namespaces.")
    var realVMs = false
    @Option(help: "Seconds for each throughput measurement.")
    var seconds = 3

    func validate() throws {
        guard (1280...9216).contains(mtu) else { throw ValidationError("--mtu is 1280 to 9216") }
        guard (1...60).contains(seconds) else { throw ValidationError("--seconds is 1 to 60") }
    }

    func run() throws {
        Interruption.catchSignals()
        let narrator = Narrator()
        let held: Bool
        do {
            held = try Lab.with(
                name: name, options: LabOptions(mtu: mtu, profile: profile, ipv6Underlay: ipv6)
            ) {
                if realVMs {
                    var demo = GuestDemo(lab: $0, narrator: narrator)
                    return try demo.run()
                }
                var demo = Demo(lab: $0, narrator: narrator, seconds: seconds)
                return try demo.run()
            }
        } catch LabError.interrupted {
            narrator.say("interrupted; everything that was made is removed")
            throw ExitCode(130)
        }
        if !held { throw ExitCode.failure }
    }
}
