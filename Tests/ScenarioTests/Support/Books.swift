import ControlAPI
import Lab
import Testing

extension Scenario {
    /// What the daemon of a host tells.
    func status(_ host: Host) throws -> Status {
        let daemon = try #require(daemons.first { $0.host === host }, "no daemon on \(host.name)")
        return try ControlClient(socket: daemon.socketPath).status()
    }

    /// The endpoint table of a host.
    func endpoints(_ host: Host) throws -> [EndpointEntry] {
        let daemon = try #require(daemons.first { $0.host === host }, "no daemon on \(host.name)")
        return try ControlClient(socket: daemon.socketPath).endpoints()
    }

    /// How many frames a host has dropped for a reason.
    func drops(_ reason: String, _ host: Host) throws -> UInt64 {
        try #require(status(host).counters.dropsByReason[reason], "no reason \(reason)").count
    }

    /// What a host has counted under a name.
    func total(_ name: String, _ host: Host) throws -> UInt64 {
        try #require(status(host).counters.totals[name], "no total \(name)")
    }

    /// Every frame that came in went out or was dropped for a reason, once the traffic has
    /// settled; and so every copy that flooding made.
    func expectConservation(sourceLocation: SourceLocation = #_sourceLocation) throws {
        for daemon in daemons where daemon.process.isRunning {
            var books = Books(try status(daemon.host).counters)
            _ = try eventually {
                books = Books(try status(daemon.host).counters)
                return books.areBalanced
            }
            #expect(
                books.areBalanced, "\(daemon.host.name): \(books)", sourceLocation: sourceLocation)
            let now = try status(daemon.host)
            for counters in now.ports.map(\.counters) + now.peers.map(\.counters) {
                let byReason = counters.dropsByReason.values.reduce(0, +)
                #expect(byReason == counters.drops, sourceLocation: sourceLocation)
            }
        }
    }
}

/// The two sides of a daemon's accounts.
struct Books: CustomStringConvertible {
    let frames: (in: UInt64, out: UInt64)
    let copies: (made: UInt64, out: UInt64)
    private let counters: CounterStatus

    init(_ counters: CounterStatus) {
        func total(_ name: String) -> UInt64 { counters.totals[name] ?? 0 }
        let drops = counters.dropsByReason.values
        self.counters = counters
        frames = (
            total("fromPorts") + total("fromUnderlay"),
            total("delivered") + total("sent") + total("answered") + total("flooded")
                + drops.reduce(0) { $0 + $1.count }
        )
        copies = (
            total("copies"),
            total("copiesDelivered") + total("copiesSent") + drops.reduce(0) { $0 + $1.copies }
        )
    }

    var areBalanced: Bool { frames.in == frames.out && copies.made == copies.out }

    var description: String {
        let totals = counters.totals.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let drops = counters.drops.map { "\($0.reason) \($0.count)+\($0.copies)" }
        return "\(frames.in) frames in, \(frames.out) out; \(copies.made) copies made, "
            + "\(copies.out) out (\((totals + drops).joined(separator: ", ")))"
    }
}
