/// What is to become of a frame, decided without a system call; the worker carries it out.
@frozen
public enum Verdict: Equatable, Sendable {
    /// To a port of this host.
    case deliver(port: UInt16)
    /// Into a tunnel.
    case send(peer: UInt16)
    /// To every other port of the network on this host and, from a port, to every peer that has
    /// the network.
    case flood
    /// Answered on the spot: the buffer now holds a reply of `length` bytes for the port that the
    /// frame came from, without any offload.
    case reply(length: UInt16)
    case drop(Drop)
}

/// Where an endpoint is, packed into 32 bits: the kind, whether it is fixed, and an index.
@frozen
public struct Location: Hashable, Sendable {
    public let bits: UInt32

    @inlinable @inline(__always)
    public init(bits: UInt32) { self.bits = bits }

    @inlinable @inline(__always)
    public static func port(_ index: UInt16, fixed: Bool = false) -> Location {
        Location(bits: 1 << 16 | UInt32(index) | (fixed ? 1 << 18 : 0))
    }

    @inlinable @inline(__always)
    public static func peer(_ index: UInt16, fixed: Bool = false) -> Location {
        Location(bits: 1 << 17 | UInt32(index) | (fixed ? 1 << 18 : 0))
    }

    @inlinable @inline(__always)
    public var index: UInt16 { UInt16(truncatingIfNeeded: bits) }

    @inlinable @inline(__always)
    public var isPort: Bool { bits & (1 << 16) != 0 }

    @inlinable @inline(__always)
    public var isPeer: Bool { bits & (1 << 17) != 0 }

    /// Set by configuration: neither learned, moved nor aged out.
    @inlinable @inline(__always)
    public var isFixed: Bool { bits & (1 << 18) != 0 }

    /// The same place, learned.
    var unfixed: Location { Location(bits: bits & ~(1 << 18)) }

    /// The same place, whether fixed or learned.
    @inlinable @inline(__always)
    public func isSamePlace(as other: Location) -> Bool {
        (bits ^ other.bits) & ~(1 << 18) == 0
    }
}
