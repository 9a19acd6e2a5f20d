import Lab

/// The demo's checks: each says at once whether it held, and the end sums them up.
struct Checks {
    let narrator: Narrator
    private var failures = 0

    init(narrator: Narrator) { self.narrator = narrator }

    /// Tells the result of a check, and, up to a dozen, what it failed for.
    mutating func check(_ held: Bool, _ what: String, failing: [String] = []) {
        narrator.result(held, what)
        for failure in failing.prefix(12) { narrator.detail("  \(failure)") }
        if failing.count > 12 { narrator.detail("  and \(failing.count - 12) more") }
        if !held { failures += 1 }
    }

    /// What the provider's switch dropped: nothing, if the overlay only sends what it may, but
    /// for the reports of the hosts' own kernels.
    mutating func checkVPC(of lab: Lab) throws {
        narrator.say("what the VPC's switch had to drop")
        let drops = try lab.drops()
        let unexpected = drops.filter { $0.key != .listenerReport && $0.value > 0 }
        check(
            drops.count == VPCDrop.allCases.count && unexpected.isEmpty,
            VPCDrop.allCases.map { "\($0.rawValue) \(drops[$0] ?? 0)" }.joined(separator: ", "))
    }

    /// Says the verdict, and after a failure the end of the daemons' logs; whether all held.
    func conclude(_ verdict: String, daemons: [Weftd]) -> Bool {
        guard failures > 0 else {
            narrator.say(narrator.paint("all held: \(verdict)", .good))
            return true
        }
        let count = failures == 1 ? "1 check" : "\(failures) checks"
        narrator.say(narrator.paint("\(count) failed", .bad))
        for daemon in daemons {
            for line in daemon.process.logTail(lines: 5).split(separator: "\n") {
                narrator.detail("weftd on \(daemon.host.name): \(line)")
            }
        }
        return false
    }
}
