internal import CLinux
import Glibc
public import Wire

/// A socket that receives the underlay's datagrams for one worker; nonblocking.
///
/// Several share the address (SO_REUSEPORT) and the kernel spreads the senders' 4-tuples over
/// them. Control messages carry train sizes and TOS: see `ReceivedControl`.
public final class UnderlayReceiver: Sendable {
    private let descriptor: OwnedDescriptor
    /// What it is bound to.
    public let local: SocketAddress
    /// Whether trains of datagrams arrive as one message (UDP_GRO): buffers must then hold 64 KiB.
    public let hasReceiveOffload: Bool
    /// Bytes that the kernel may queue, as it counts them: with its own overhead.
    public let bufferSize: Int

    /// The socket, open as long as this object lives.
    public var fileDescriptor: Int32 { descriptor.number }

    /// Opens `count` receivers on one address.
    /// - Parameters:
    ///   - address: the host's underlay address, or `any`.
    ///   - port: UDP port, 4789 for VXLAN.
    ///   - count: one for each worker.
    ///   - bufferSize: bytes of queue to ask for, each. The kernel doubles it; a small datagram
    ///     counts as 768 bytes, one that a card put into a page of its own as 4400. The default
    ///     holds 20,000 of these, a second's for a restart.
    /// - Throws: `SystemError` with advice: EADDRINUSE (also when another process shares the port
    ///   willingly), EADDRNOTAVAIL.
    public static func open(
        _ address: IPAddress, port: UInt16, count: Int = 1, bufferSize: Int32 = 48 << 20
    ) throws(SystemError) -> [UnderlayReceiver] {
        try claim(SocketAddress(address, port: port))
        var receivers: [UnderlayReceiver] = []
        for _ in 0..<count {
            receivers.append(
                try UnderlayReceiver(
                    SocketAddress(address, port: port), isShared: count > 1,
                    bufferSize: bufferSize))
        }
        return receivers
    }

    /// Goes on with sockets that an earlier process opened, and with what is queued in them.
    /// - Returns: nil if they are not `count` sockets on that address.
    public static func adopt(
        _ sockets: consuming OwnedDescriptors, _ address: IPAddress, port: UInt16, count: Int
    ) -> [UnderlayReceiver]? {
        let wanted = SocketAddress(address, port: port)
        let datagrams = Int32(SOCK_DGRAM.rawValue)
        guard sockets.numbers.count == count else { return nil }
        let receivers = sockets.release().map {
            UnderlayReceiver(adopting: OwnedDescriptor(owning: $0))
        }
        let fits = receivers.allSatisfy {
            $0.local == wanted && $0.descriptor.option(SOL_SOCKET, SO_TYPE) == datagrams
        }
        return fits ? receivers : nil
    }

    /// Datagrams, or trains of them, that found the socket's buffer full.
    public var missedMessages: UInt64 { OwnedDescriptor.drops(ofSocket: fileDescriptor) }

    /// Makes sure that nobody has the port: with SO_REUSEPORT another daemon of the same user
    /// would share it without an error, and each would get half of the datagrams.
    private static func claim(_ address: SocketAddress) throws(SystemError) {
        let probe = try UnderlaySocket.make(for: address.address)
        let refusal = UnderlaySocket.bind(probe, to: address)
        guard refusal == 0 else {
            throw SystemError(
                call: "bind \(address)", errno: refusal,
                advice: UnderlaySocket.bindAdvice(refusal, address))
        }
    }

    private init(adopting descriptor: consuming OwnedDescriptor) {
        hasReceiveOffload = descriptor.trySetOption(Int32(SOL_UDP), UDP_GRO, 1)
        bufferSize = Int(descriptor.option(SOL_SOCKET, SO_RCVBUF) ?? 0)
        local = SocketAddress.local(of: descriptor.number) ?? SocketAddress(.v4(.any), port: 0)
        self.descriptor = descriptor
    }

    /// A socket that shares the address costs the kernel a choice per datagram, so a single one
    /// does not.
    private init(
        _ address: SocketAddress, isShared: Bool, bufferSize: Int32
    ) throws(SystemError) {
        let descriptor = try UnderlaySocket.make(for: address.address)
        if isShared {
            try descriptor.setOption(SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT")
        }
        self.bufferSize = descriptor.setBuffer(
            force: SO_RCVBUFFORCE, limited: SO_RCVBUF, bytes: bufferSize)
        if address.address.isIPv6 {
            try descriptor.setOption(
                Int32(IPPROTO_IPV6), IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS")
            // RFC 6935: tunnels may leave the checksum out over IPv6, too.
            _ = descriptor.trySetOption(Int32(SOL_UDP), UDP_NO_CHECK6_RX, 1)
        } else {
            try descriptor.setOption(Int32(IPPROTO_IP), IP_RECVTOS, 1, "IP_RECVTOS")
        }
        hasReceiveOffload = descriptor.trySetOption(Int32(SOL_UDP), UDP_GRO, 1)
        let refusal = UnderlaySocket.bind(descriptor, to: address)
        guard refusal == 0 else {
            throw SystemError(
                call: "bind \(address)", errno: refusal,
                advice: UnderlaySocket.bindAdvice(refusal, address))
        }
        local = SocketAddress.local(of: descriptor.number) ?? address
        self.descriptor = descriptor
    }
}
