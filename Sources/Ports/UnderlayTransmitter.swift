internal import CLinux
import Glibc
public import Wire

/// Sockets that one worker sends through, each with a source port of its own; nonblocking.
///
/// The source port carries the entropy of the inner flow (RFC 7348 section 5), and a UDP socket has
/// one: so there are many, and a flow's hash picks one. They receive nothing (a filter refuses
/// all), and set DF, so that no datagram is fragmented: one too long for the path gives EMSGSIZE.
public final class UnderlayTransmitter: Sendable {
    /// RFC 7348 section 5, RFC 6335 section 6: the dynamic ports.
    public static let portRange: ClosedRange<UInt16> = 49152...65535

    private let descriptors: OwnedDescriptors
    /// The sockets, open as long as this object lives.
    public let sockets: [Int32]
    /// Their source ports, in the same order.
    public let ports: [UInt16]
    /// Whether one message may leave as a train of datagrams (UDP_SEGMENT).
    public let hasSegmentation: Bool
    /// Bytes that each socket may have under way, as the kernel counts them.
    public let bufferSize: Int

    /// Opens `count` sockets on `address`.
    /// - Parameters:
    ///   - address: the host's underlay address, not `any`: peers know us by it.
    ///   - count: how many source ports.
    ///   - bufferSize: bytes of queue to ask for, each.
    ///   - timeToLive: TTL or hop limit of the outer header; `nil` leaves the kernel's.
    /// - Throws: `SystemError`; EADDRINUSE only when no port of the range is left.
    public init(
        _ address: IPAddress, count: Int, bufferSize: Int32 = 8 << 20, timeToLive: Int32? = 64
    ) throws(SystemError) {
        var descriptors = OwnedDescriptors()
        var ports: [UInt16] = []
        var segmentation = true
        var granted = Int.max
        // A random start: two workers that open at once seldom meet.
        var port = UInt16.random(in: Self.portRange)
        for _ in 0..<count {
            let descriptor = try UnderlaySocket.make(for: address)
            try Self.configure(descriptor, address, timeToLive)
            let size = descriptor.setBuffer(
                force: SO_SNDBUFFORCE, limited: SO_SNDBUF, bytes: bufferSize)
            granted = min(granted, size)
            segmentation =
                segmentation && descriptor.option(Int32(SOL_UDP), UDP_SEGMENT) != nil
            ports.append(try Self.bindFreePort(descriptor, address, from: &port))
            descriptors.append(descriptor)
        }
        sockets = descriptors.numbers
        self.ports = ports
        hasSegmentation = segmentation
        self.bufferSize = granted
        self.descriptors = descriptors
    }

    private static func configure(
        _ descriptor: borrowing OwnedDescriptor, _ address: IPAddress, _ timeToLive: Int32?
    ) throws(SystemError) {
        let refusal = -weft_refuse_all(descriptor.number)
        guard refusal == 0 else {
            throw SystemError(call: "SO_ATTACH_FILTER", errno: refusal)
        }
        if address.isIPv6 {
            let level = Int32(IPPROTO_IPV6)
            try descriptor.setOption(
                level, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, "IPV6_MTU_DISCOVER")
            if let timeToLive {
                try descriptor.setOption(
                    level, IPV6_UNICAST_HOPS, timeToLive, "IPV6_UNICAST_HOPS")
            }
        } else {
            let level = Int32(IPPROTO_IP)
            try descriptor.setOption(level, IP_MTU_DISCOVER, IP_PMTUDISC_DO, "IP_MTU_DISCOVER")
            if let timeToLive {
                try descriptor.setOption(level, IP_TTL, timeToLive, "IP_TTL")
            }
        }
    }

    /// Binds to the first free port at or after `port`, going round; leaves `port` behind it.
    private static func bindFreePort(
        _ descriptor: borrowing OwnedDescriptor, _ address: IPAddress, from port: inout UInt16
    ) throws(SystemError) -> UInt16 {
        for _ in portRange {
            let candidate = SocketAddress(address, port: port)
            port = port == portRange.upperBound ? portRange.lowerBound : port + 1
            let refusal = UnderlaySocket.bind(descriptor, to: candidate)
            if refusal == 0 { return candidate.port }
            guard refusal == EADDRINUSE else {
                throw SystemError(
                    call: "bind \(candidate)", errno: refusal,
                    advice: UnderlaySocket.bindAdvice(refusal, candidate))
            }
        }
        throw SystemError(
            call: "bind \(address)", errno: EADDRINUSE,
            advice: "all UDP ports from 49152 to 65535 are taken: use fewer transmit sockets")
    }
}
