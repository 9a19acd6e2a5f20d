/// What may pass a port in each direction; nil = as much as comes.
public struct PortLimits: Sendable, Equatable {
    /// What may come from the VM, or from whoever is behind the port.
    public var fromVM: RateLimit?
    /// What may go to it.
    public var toVM: RateLimit?

    /// Limits of either direction.
    public init(fromVM: RateLimit? = nil, toVM: RateLimit? = nil) {
        self.fromVM = fromVM
        self.toVM = toVM
    }
}

/// What may pass in one direction: bytes per time, frames per time, or both.
public struct RateLimit: Sendable, Equatable {
    /// Average in bits per second, 8000...10^12, of whole Ethernet frames without what the tunnel
    /// adds; nil = no limit.
    public var rate: Int?
    /// Bytes that may pass at once after a pause, 2000...4 * 10^9; nil = `defaultBurst`.
    public var burst: Int?
    /// Frames per second on average, 1...10^9; nil = no limit.
    public var packets: Int?

    /// A limit of `rate`, of `packets`, or of both.
    public init(rate: Int? = nil, burst: Int? = nil, packets: Int? = nil) {
        self.rate = rate
        self.burst = burst
        self.packets = packets
    }

    /// The default of `burst`: what comes in 200 ms at the limit's rate, and a superframe at least.
    /// That is for how long TCP pauses where all that it sent was dropped (Linux's TCP_RTO_MIN):
    /// with less it never uses what came in the pause.
    public static func defaultBurst(rate: Int) -> Int { max(65536, rate / 8 / 5) }

    /// Frames that may pass at once: those of 200 ms, and a superframe's at least.
    public static func frameBurst(packets: Int) -> Int { max(64, packets / 5) }

    /// Bytes that may pass at once; nil where only frames are limited.
    public var burstInEffect: Int? { rate.map { burst ?? Self.defaultBurst(rate: $0) } }
}
