import ControlAPI
import Lab

/// What the daemons of a lab counted: read over their sockets, as `weft status` does.
struct Accounts {
    let statuses: [Status]

    /// Asks each daemon.
    init(of daemons: [Weftd]) throws {
        statuses = try daemons.map { try ControlClient(socket: $0.socketPath).status() }
    }

    /// The drops of all hosts together by reason, the most frequent first.
    var drops: [DropCount] {
        var sums: [String: DropCount] = [:]
        for drop in statuses.flatMap(\.counters.drops) {
            sums[
                drop.reason,
                default: DropCount(
                    reason: drop.reason, description: drop.description, count: 0)
            ].count += drop.count
            sums[drop.reason]?.copies += drop.copies
        }
        return sums.values.sorted {
            ($0.count + $0.copies, $1.reason) > ($1.count + $1.copies, $0.reason)
        }
    }

    /// Frames that a reason ended, on all hosts.
    func dropped(for reason: String) -> UInt64 {
        statuses.reduce(0) { $0 + ($1.counters.dropsByReason[reason]?.count ?? 0) }
    }

    /// Hosts where frames are missing: every frame that came in, and every copy that was made,
    /// must have been delivered, sent, answered, flooded or dropped for a reason.
    ///
    /// True of a daemon at rest only; one that is working is read between two of its steps.
    var unbalanced: [String] {
        statuses.flatMap { status in
            let tallies = status.counters.dropsByReason.values
            return [
                Balance(
                    of: status, what: "frames", made: ["fromPorts", "fromUnderlay"],
                    ended: ["delivered", "sent", "answered", "flooded"],
                    dropped: tallies.reduce(0) { $0 + $1.count }),
                Balance(
                    of: status, what: "copies", made: ["copies"],
                    ended: ["copiesDelivered", "copiesSent"],
                    dropped: tallies.reduce(0) { $0 + $1.copies }),
            ].compactMap(\.difference)
        }
    }

    /// One side of a daemon's books against the other.
    private struct Balance {
        let difference: String?

        init(of status: Status, what: String, made: [String], ended: [String], dropped: UInt64) {
            let totals = status.counters.totals
            if let missing = (made + ended).first(where: { totals[$0] == nil }) {
                difference = "\(status.host) does not tell '\(missing)'"
                return
            }
            let made = made.reduce(0) { $0 + (totals[$1] ?? 0) }
            let ended = ended.reduce(dropped) { $0 + (totals[$1] ?? 0) }
            difference =
                made == ended ? nil : "\(status.host): \(made) \(what) in, \(ended) accounted for"
        }
    }
}

extension Checks {
    /// Tells what the daemons dropped and why, and checks that no frame is missing.
    ///
    /// - Parameters:
    ///   - daemons: The daemons, with no traffic going on but stragglers.
    ///   - forged: How many frames with a forged source address must be among the drops.
    mutating func checkAccounts(of daemons: [Weftd], forged: Int) throws {
        narrator.say("what the daemons dropped, and why")
        var accounts = try Accounts(of: daemons)
        for _ in 0..<20 where !accounts.unbalanced.isEmpty {
            try pause(.milliseconds(100))
            accounts = try Accounts(of: daemons)
        }
        for drop in accounts.drops {
            let copies = drop.copies > 0 ? " and \(drop.copies) copies" : ""
            narrator.detail("\(drop.reason): \(drop.count) frames\(copies). \(drop.description)")
        }
        check(
            accounts.unbalanced.isEmpty, "every frame is accounted for on each host",
            failing: accounts.unbalanced)
        if forged > 0 {
            let counted = accounts.dropped(for: "spoofedIP")
            check(counted >= forged, "the \(forged) forged pings are among the drops")
        }
    }
}
