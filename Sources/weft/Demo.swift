import Lab

/// The demo's story, in the order in which it is told.
///
/// 1. Three hosts on a VPC's switch, and on each two VMs of network blue and two of green.
///    The networks use the same addresses and the same MACs.
/// 2. `weftd` on each host.
/// 3. Who reaches whom, within the networks and across.
/// 4. A VM that forges its source address.
/// 5. How fast: round trips and TCP, on one host and across.
/// 6. What was dropped, by whom and why.
struct Demo {
    let lab: Lab
    let narrator: Narrator
    /// How long each throughput measurement takes.
    let seconds: Int

    static let blue = LabNetwork("blue", vni: 100)
    static let green = LabNetwork("green", vni: 200)

    private var checks: Checks
    private var daemons: [Weftd] = []
    /// Echo requests with a source address that is not the VM's.
    private var forgedPings = 0

    init(lab: Lab, narrator: Narrator, seconds: Int) {
        self.lab = lab
        self.narrator = narrator
        self.seconds = seconds
        checks = Checks(narrator: narrator)
    }

    /// Runs it all; whether every check held.
    mutating func run() throws -> Bool {
        try build()
        try startDaemons()
        try showReachability()
        try showSpoofing()
        try showLatency()
        try showThroughput()
        try checks.checkAccounts(of: daemons, forged: forgedPings)
        try checks.checkVPC(of: lab)
        return checks.conclude(
            "two networks, three hosts, no frame astray", daemons: daemons)
    }
}

// MARK: - Building

extension Demo {
    private mutating func build() throws {
        let options = lab.options
        narrator.say(
            "three hosts on an emulated VPC: unicast only, each frame checked for its IP-MAC pair "
                + "(MTU \(options.mtu), wire \(options.profile.rawValue))")
        for _ in 0..<3 { try lab.addHost() }
        narrator.say("twelve VMs in two networks with the same addresses and the same MACs")
        for network in [Self.blue, Self.green] {
            for host in lab.hosts {
                for number in [2 * host.index + 1, 2 * host.index + 2] {
                    try lab.addVM(
                        "\(network.name)\(number)", on: host, network: network,
                        addresses: Self.addresses(of: number, in: network))
                }
            }
            let members = vms(of: network)
            narrator.detail(
                "\(network.name), VNI \(network.vni): \(members[0].name) \(members[0].addresses[0])"
                    + " to \(members[5].name) \(members[5].addresses[0])")
        }
    }

    /// 10.0.0.N, which both networks have, and 10.0.VNI.N, which only this one has.
    static func addresses(of number: Int, in network: LabNetwork) -> [VM.Address] {
        ["10.0.0.\(number)/16", "10.0.\(network.vni).\(number)/16"].compactMap(VM.Address.init)
    }

    private func vms(of network: LabNetwork) -> [VM] {
        lab.vms.filter { $0.network == network }
    }

    private mutating func startDaemons() throws {
        narrator.say("weftd on each host: VXLAN over UDP 4789 in a full mesh")
        daemons = try lab.startWeftdEverywhere()
        for daemon in daemons {
            let ports = daemon.host.vms.map(\.name).joined(separator: " ")
            narrator.detail("\(daemon.host.name) \(daemon.host.vtep): \(ports)")
        }
    }
}

// MARK: - Reachability

extension Demo {
    private mutating func showReachability() throws {
        narrator.say("who reaches whom: every VM pings every VM")
        let matrix = try Reachability(within: [vms(of: Self.blue), vms(of: Self.green)])
        for line in matrix.lines(painting: narrator.paint) { narrator.detail(line) }
        checks.check(
            matrix.unreachable.isEmpty, "each VM reaches each VM of its network",
            failing: matrix.unreachable)
        checks.check(
            matrix.leaks.isEmpty, "no VM reaches an address that only the other network has",
            failing: matrix.leaks)
        checks.check(
            matrix.misdelivered.isEmpty,
            "pings to an address that both networks have arrived in the sender's network only",
            failing: matrix.misdelivered)
    }

    private mutating func showSpoofing() throws {
        let (liar, victim) = (vms(of: Self.blue)[0], vms(of: Self.blue)[2])
        let forged = "10.0.0.99"
        narrator.say("\(liar.name) forges the source address \(forged)")
        try Command(["ip", "addr", "add", "\(forged)/32", "dev", "eth0"])
            .inside(liar.namespace).check()
        let before = try victim.namespace.counter("InEchos", of: "Icmp")
        let ping = Command.ping(
            victim.addresses[0].address, count: 3, interval: 0.1, patience: 1, source: forged)
        let result = try PingResult(output: ping.inside(liar.namespace).run().stdout)
        // Without answers ping sends on until its patience ends: more than it was asked for.
        forgedPings = result?.transmitted ?? 0
        try Command(["ip", "addr", "del", "\(forged)/32", "dev", "eth0"])
            .inside(liar.namespace).check()
        let after = try victim.namespace.counter("InEchos", of: "Icmp")
        checks.check(
            forgedPings > 0 && before != nil && before == after,
            "\(victim.name) saw none of \(forgedPings) forged pings")
    }
}

// MARK: - Speed

extension Demo {
    /// A pair on one host, and one across hosts.
    private var pairs: [(what: String, from: VM, to: VM)] {
        let members = vms(of: Self.blue)
        return [
            ("on one host", members[0], members[1]), ("across hosts", members[0], members[2]),
        ]
    }

    private mutating func showLatency() throws {
        narrator.say("round trips: 100 pings, 10 ms apart")
        for (what, from, to) in pairs {
            let ping = Command.ping(
                to.addresses[0].address, count: 100, interval: 0.01, patience: 5)
            let result = try PingResult(output: ping.inside(from.namespace).run().stdout)
            let times = result?.roundTrip.map {
                "min \(decimal($0.min, places: 3)) avg \(decimal($0.average, places: 3)) "
                    + "max \(decimal($0.max, places: 3)) ms"
            }
            checks.check(
                result?.isComplete ?? false,
                "\(what), \(from.name) to \(to.name): \(times ?? "no answer")")
        }
    }

    private mutating func showThroughput() throws {
        narrator.say("TCP throughput: iperf3, one stream, \(seconds) s")
        for (what, from, to) in pairs {
            let pair = "\(what), \(from.name) to \(to.name)"
            do {
                let measured = try from.measureTCP(to: to, seconds: seconds)
                let gigabits = decimal(measured.bitsPerSecond / 1e9, places: 2)
                checks.check(
                    measured.bitsPerSecond > 0,
                    "\(pair): \(gigabits) Gbit/s, \(measured.retransmits) retransmits")
            } catch let error as LabError where error != .interrupted {
                // What was dropped, and why, is still worth telling.
                checks.check(false, "\(pair): \(error)")
            }
        }
    }
}
