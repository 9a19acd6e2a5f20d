import Lab
import Wire

/// The demo with real guests: a Linux per host and network under QEMU, each on a TAP that QEMU
/// owns and `weftd` attaches, as under libvirt or OpenStack.
///
/// As in the other demo the networks use the same addresses and MACs, and each guest's own count
/// of echo requests tells whether any strayed.
struct GuestDemo {
    let lab: Lab
    let narrator: Narrator
    private var checks: Checks

    /// Echo requests from each guest to each.
    private static let count = 2

    init(lab: Lab, narrator: Narrator) {
        self.lab = lab
        self.narrator = narrator
        checks = Checks(narrator: narrator)
    }

    /// Runs it all; whether every check held.
    mutating func run() throws -> Bool {
        narrator.say("three hosts on an emulated VPC (MTU \(lab.options.mtu))")
        for _ in 0..<3 { try lab.addHost() }
        try boot()
        narrator.say("weftd on each host attaches the guests' TAPs")
        let daemons = try lab.startWeftdEverywhere()
        try showReachability()
        try checks.checkAccounts(of: daemons, forged: 0)
        try checks.checkVPC(of: lab)
        return checks.conclude(
            "six guests in two networks on three hosts, no frame astray", daemons: daemons)
    }

    private func boot() throws {
        narrator.say("six guests boot a Debian kernel under QEMU, without KVM: some ten seconds")
        for network in [Demo.blue, Demo.green] {
            for host in lab.hosts {
                let number = host.index + 1
                try lab.addGuest(
                    "\(network.name)\(number)", on: host, network: network,
                    addresses: Demo.addresses(of: number, in: network))
            }
        }
        for guest in lab.guests { try guest.waitUntilReady() }
        let kernel = try lab.guests[0].run("uname -r").stdout
        narrator.detail("all are up: Linux \(kernel.filter { !$0.isWhitespace })")
    }

    private mutating func showReachability() throws {
        narrator.say("who reaches whom: every guest pings every guest")
        var (unreachable, misdelivered, leaks): ([String], [String], [String]) = ([], [], [])
        for network in [Demo.blue, Demo.green] {
            let members = lab.guests.filter { $0.network == network }
            let before = try echoRequests()
            unreachable += try ping(from: members) { from in
                members.filter { $0 !== from }.map(\.addresses[0].address)
            }.filter { $0.answers != Self.count }.map(\.description)
            let after = try echoRequests()
            for guest in lab.guests {
                let expected = guest.network == network ? Self.count * (members.count - 1) : 0
                let got = (after[guest.name] ?? 0) - (before[guest.name] ?? 0)
                guard got != expected else { continue }
                misdelivered.append(
                    "\(guest.name) got \(got) while \(network.name) pinged, expected \(expected)")
            }
        }
        leaks += try ping(from: lab.guests) { from in
            lab.guests.filter { $0.network != from.network }.map(\.addresses[1].address)
        }.filter { $0.answers != 0 }.map(\.description)
        checks.check(
            unreachable.isEmpty, "each guest reaches each guest of its network",
            failing: unreachable)
        checks.check(
            leaks.isEmpty, "no guest reaches an address that only the other network has",
            failing: leaks)
        checks.check(
            misdelivered.isEmpty,
            "pings to an address that both networks have arrived in the sender's network only",
            failing: misdelivered)
    }

    /// What one guest's ping found: how many answers, or -1 if it could not even ask.
    private struct Outcome: CustomStringConvertible {
        let from: String
        let to: String
        let answers: Int

        var description: String { "\(from) to \(to): \(answers) of \(GuestDemo.count) answered" }
    }

    /// Pings from several guests at the same time, each to its own list.
    private func ping(
        from guests: [Guest], to targets: (Guest) -> [IPAddress]
    ) throws -> [Outcome] {
        for guest in guests {
            let list = targets(guest).map(\.description).joined(separator: " ")
            // All pings at once, then a line for each: the address and how many answers.
            try guest.start(
                "for a in \(list); do ping -q -c \(Self.count) -W 2 $a >/tmp/$a 2>&1 & done; wait; "
                    + "for a in \(list); do echo $a $(sed -n "
                    + "'s/.* \\([0-9]*\\) packets received.*/\\1/p' /tmp/$a); done")
        }
        return try guests.flatMap { guest in
            let lines = try guest.finish().stdout.split(whereSeparator: \.isNewline)
            return targets(guest).map { target in
                let line = lines.map { $0.split(separator: " ") }
                    .first { $0.first == Substring(target.description) }
                let answers = line.flatMap { $0.count > 1 ? Int($0[1]) : nil }
                return Outcome(from: guest.name, to: target.description, answers: answers ?? -1)
            }
        }
    }

    /// The echo requests that each guest got since it booted.
    private func echoRequests() throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for guest in lab.guests {
            let text = try guest.run("cat /proc/net/snmp").stdout
            counts[guest.name] = ProtocolCounters(text)["InEchos", of: "Icmp"].map(Int.init)
        }
        return counts
    }
}
