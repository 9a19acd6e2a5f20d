import Lab
import Wire

/// Who answers whom among the VMs of several networks that use the same addresses.
///
/// That an answer came says not yet from whom. So the networks ping one after the other, and each
/// VM's own count of the echo requests that it got must rise by just what its network sent it:
/// a frame that strayed into another network shows there, although the addresses are the same.
struct Reachability {
    /// Pairs of one network where an echo request went unanswered or was answered twice.
    private(set) var unreachable: [String] = []
    /// Pairs of two networks where there was an answer.
    private(set) var leaks: [String] = []
    /// VMs that got more or fewer echo requests than their network sent them.
    private(set) var misdelivered: [String] = []

    private let vms: [VM]
    private var wrong: Set<Pair> = []

    private struct Pair: Hashable {
        let from: String
        let to: String
    }

    /// Echo requests from each VM to each.
    private static let count = 2

    /// Pings from every VM to every other one; each network's first addresses may be the others'
    /// too, its last ones must be its own.
    init(within networks: [[VM]]) throws {
        vms = networks.flatMap { $0 }
        for network in networks {
            try pingWithin(network)
        }
        try pingAcross(networks)
    }

    private mutating func pingWithin(_ network: [VM]) throws {
        let before = try echoRequests()
        let pairs = network.flatMap { from in
            network.filter { $0 !== from }.map { (from: from, to: $0) }
        }
        let results = try Command.run(
            all: pairs.map {
                Command.ping($0.to.addresses[0].address, count: Self.count)
                    .inside($0.from.namespace)
            })
        for (pair, result) in zip(pairs, results) {
            let ping = PingResult(output: result.stdout)
            guard ping?.isComplete != true else { continue }
            wrong.insert(Pair(from: pair.from.name, to: pair.to.name))
            unreachable.append(
                "\(pair.from.name) to \(pair.to.name): \(ping?.received ?? 0) of \(Self.count) "
                    + "answered, \(ping?.duplicates ?? 0) twice")
        }
        let after = try echoRequests()
        for vm in vms {
            let isMember = network.contains { $0 === vm }
            let expected = isMember ? UInt64(Self.count * (network.count - 1)) : 0
            guard let first = before[vm.name], let last = after[vm.name] else { continue }
            if last - first != expected {
                misdelivered.append(
                    "\(vm.name) got \(last - first) echo requests while \(network[0].network.name) "
                        + "pinged, expected \(expected)")
            }
        }
    }

    private mutating func pingAcross(_ networks: [[VM]]) throws {
        let pairs = vms.flatMap { from in
            vms.filter { $0.network != from.network }.map { (from: from, to: $0) }
        }
        let results = try Command.run(
            all: pairs.map { pair in
                Command.ping(pair.to.addresses[pair.to.addresses.count - 1].address, patience: 1)
                    .inside(pair.from.namespace)
            })
        for (pair, result) in zip(pairs, results) {
            // Only a ping that ran and got nothing is silence.
            let ping = PingResult(output: result.stdout)
            if let ping, ping.transmitted > 0, ping.received == 0 { continue }
            wrong.insert(Pair(from: pair.from.name, to: pair.to.name))
            let problem = ping == nil ? "ping failed: \(result.stderr)" : "answered"
            leaks.append("\(pair.from.name) to \(pair.to.name): \(problem)")
        }
    }

    private func echoRequests() throws -> [String: UInt64] {
        var counts: [String: UInt64] = [:]
        for vm in vms { counts[vm.name] = try vm.namespace.counter("InEchos", of: "Icmp") ?? 0 }
        return counts
    }

    /// The matrix: a row for each sender, a column for each receiver in the same order; ok =
    /// answered, -- = rightly silent, !! = wrong.
    func lines(painting paint: (String, Narrator.Tone) -> String) -> [String] {
        let margin = (vms.map(\.name.count).max() ?? 0) + 2
        // A column of another network than the one before it stands off by a space.
        let gaps = vms.indices.map { index in
            index > 0 && vms[index].network != vms[index - 1].network ? "  " : " "
        }
        let heads = zip(vms, gaps).map { vm, gap in
            gap + column(String(vm.name.dropFirst(vm.network.name.count)), width: 2)
        }
        let rows = vms.map { from in
            let cells = zip(vms, gaps).map { to, gap in gap + cell(from, to, paint) }
            return column(from.name, width: margin) + cells.joined()
        }
        return [paint(column("from", width: margin) + heads.joined(), .quiet)] + rows
    }

    private func cell(
        _ from: VM, _ to: VM, _ paint: (String, Narrator.Tone) -> String
    ) -> String {
        if wrong.contains(Pair(from: from.name, to: to.name)) { return paint("!!", .bad) }
        if from === to { return paint(" .", .quiet) }
        return from.network == to.network ? paint("ok", .good) : paint("--", .quiet)
    }
}
