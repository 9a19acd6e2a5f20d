import ControlAPI
import Ports
import Wire

/// What the underlay's interface tells of EC2's allowances: asked for when somebody looks, and not
/// more often than every ten seconds, because the driver asks its device.
struct Allowances {
    private static let interval: UInt64 = 10_000_000_000
    private var askedAt: UInt64?
    private var last: UnderlayStatus?

    /// What it told lately, by the clock of `WorkerTables.nanoseconds`.
    mutating func status(of address: IPAddress, now: UInt64) -> UnderlayStatus? {
        if let askedAt, now &- askedAt < Self.interval { return last }
        askedAt = now
        last = (try? UnderlaySocket.interface(of: address)).map { interface in
            let statistics = try? DriverStatistics(of: interface)
            return UnderlayStatus(interface: interface, statistics)
        }
        return last
    }
}

extension UnderlayStatus {
    /// By the names of ENA's driver: `bw_in_allowance_exceeded`, `conntrack_allowance_available`.
    init(interface: String, _ statistics: DriverStatistics?) {
        self.init(
            interface: interface,
            allowanceExceeded: statistics?.values(ending: "_allowance_exceeded") ?? [:],
            conntrackAvailable: statistics?.values(ending: "_allowance_available")["conntrack"])
    }
}
