// LogLimiter: how many lines one place in the code may write.
//
// A place that is reached again and again (a device that flaps, a peer that sends nonsense) would
// fill the disk and bury everything else. So each has a budget: `burst` lines at once, and one more
// each `interval`. What is more is counted, and told when it has ended, or each minute while it
// goes on.

import Logging

/// Time is in nanoseconds of any clock that does not go back.
package struct LogLimiter {
    /// A place in the code: one message, whatever it is filled in with.
    package struct Site: Hashable, Sendable {
        let file: String
        let line: UInt

        package init(file: String, line: UInt) {
            self.file = file
            self.line = line
        }
    }

    fileprivate struct Account {
        /// Until when the lines that were written pay for themselves.
        var paidUntil: UInt64 = 0
        /// Lines that were left out and have not been told of.
        var leftOut = 0
        var firstLeftOut: UInt64 = 0
        var lastLeftOut: UInt64 = 0
        /// The last of them.
        var example = LogLine(.info, "")
    }

    /// Lines of one place that may come at once: a whole host's ports are attached in one go.
    package static let burst: UInt64 = 200
    /// Each of these gives it another one: 10 lines a second.
    package static let interval: UInt64 = 100_000_000
    /// What is left out has ended after this long without.
    package static let quiet: UInt64 = 1_000_000_000
    /// What goes on is told of after this long.
    package static let longest: UInt64 = 60_000_000_000

    private var accounts: [Site: Account] = [:]
    /// Whether something was left out that has not been told of.
    private(set) package var isHolding = false

    package init() {}

    /// Whether a line is to be written now.
    package mutating func admits(_ line: LogLine, of site: Site, now: UInt64) -> Bool {
        var account = accounts[site] ?? Account()
        defer { accounts[site] = account }
        let start = max(account.paidUntil, now)
        if start - now <= (Self.burst - 1) * Self.interval {
            account.paidUntil = start + Self.interval
            return true
        }
        if account.leftOut == 0 { account.firstLeftOut = now }
        account.leftOut += 1
        account.lastLeftOut = now
        account.example = line
        isHolding = true
        return false
    }

    /// Lines that tell of what was left out, as far as it is time for them.
    package mutating func due(now: UInt64) -> [LogLine] {
        guard isHolding else { return [] }
        var lines: [LogLine] = []
        isHolding = false
        for (site, account) in accounts where account.leftOut > 0 {
            let isDue =
                now - account.lastLeftOut >= Self.quiet
                || now - account.firstLeftOut >= Self.longest
            guard isDue else {
                isHolding = true
                continue
            }
            lines.append(account.summary)
            accounts[site]?.leftOut = 0
        }
        return lines
    }

    /// Lines that tell of all that was left out: nothing will be written any more.
    package mutating func finish() -> [LogLine] {
        let held = accounts.values.filter { $0.leftOut > 0 }
        accounts = [:]
        isHolding = false
        return held.map(\.summary)
    }
}

extension LogLimiter.Account {
    fileprivate var summary: LogLine {
        let seconds = (lastLeftOut - firstLeftOut) / 1_000_000_000 + 1
        return LogLine(
            example.level, "left out \(leftOut) more like: \(example.message)",
            ["leftOut": "\(leftOut)", "seconds": "\(seconds)"])
    }
}
