/// What a request was for: the 64 bits that come back with each of its completions.
///
///     63      56 55                    32 31                     0
///     +---------+------------------------+-----------------------+
///     | kind    | generation (ports)     | index                 |
///     +---------+------------------------+-----------------------+
struct RequestTag {
    enum Kind: UInt8 {
        /// Somebody wrote to the worker's mailbox.
        case mailbox = 1
        /// Datagrams for the VTEP.
        case underlay
        /// Frames from a port; index is the port, generation tells attachments apart.
        case port
        /// A send or a write; index is the operation.
        case operation
        /// A cancellation; nothing depends on its outcome.
        case cancellation
    }

    let bits: UInt64

    @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    @inline(__always)
    init(_ kind: Kind, index: Int = 0, generation: UInt32 = 0) {
        bits =
            UInt64(kind.rawValue) << 56 | UInt64(generation & 0xff_ffff) << 32
            | UInt64(UInt32(truncatingIfNeeded: index))
    }

    @inline(__always)
    var kind: Kind? { Kind(rawValue: UInt8(truncatingIfNeeded: bits >> 56)) }

    @inline(__always)
    var index: Int { Int(UInt32(truncatingIfNeeded: bits)) }

    @inline(__always)
    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) & 0xff_ffff }
}
