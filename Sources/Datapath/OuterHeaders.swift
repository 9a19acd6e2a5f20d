import CLinux
import Glibc
import Ports
import Wire

/// The headers of a datagram that a UDP socket does not show, made up for captures of the underlay:
/// Ethernet, IP and UDP.
///
/// Addresses, ports, TOS and lengths are the real ones. MAC addresses, the identification and the
/// UDP checksum are zero, and the TTL is 64: what they are on the wire is not known here.
struct OuterHeaders {
    private static let udpLength = 8

    private let memory: UnsafeMutableRawPointer
    private let sockets: UnsafeMutablePointer<(socket: Int32, port: UInt16)>
    private let socketCount: Int
    private let underlay: IPv6Address
    private let underlayPort: UInt16
    private let isIPv6: Bool

    init(underlay: SocketAddress, sockets: [(socket: Int32, port: UInt16)]) {
        memory = .allocate(byteCount: 64, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 64)
        self.sockets = .allocate(capacity: sockets.count)
        self.sockets.initialize(from: sockets, count: sockets.count)
        socketCount = sockets.count
        self.underlay = underlay.address.mapped
        underlayPort = underlay.port
        isIPv6 = underlay.address.isIPv6
    }

    func deallocate() {
        memory.deallocate()
        sockets.deallocate()
    }

    private var ip: UnsafeMutableRawPointer { memory + Ethernet.headerLength }

    private var ipLength: Int { isIPv6 ? IPv6.headerLength : IPv4.minimumHeaderLength }

    /// Datagrams from a peer.
    func begin(from sender: SocketAddress, tos: UInt8) {
        begin(
            from: sender.address.mapped, port: sender.port, to: underlay, port: underlayPort,
            tos: tos)
    }

    /// Datagrams to a peer.
    func begin(to peer: IPv6Address, socket: Int32, tos: UInt8) {
        var port: UInt16 = 0
        for index in 0..<socketCount where sockets[index].socket == socket {
            port = sockets[index].port
        }
        begin(from: underlay, port: port, to: peer, port: underlayPort, tos: tos)
    }

    private func begin(
        from source: IPv6Address, port sourcePort: UInt16, to destination: IPv6Address,
        port destinationPort: UInt16, tos: UInt8
    ) {
        if isIPv6 {
            memory.store16(0x86dd, Ethernet.type)
            ip.store32(6 << 28 | UInt32(tos) << 20, IPv6.versionAndClass)
            ip.store8(17, IPv6.nextHeader)
            ip.store8(64, IPv6.hopLimit)
            source.store(at: ip + IPv6.source)
            destination.store(at: ip + IPv6.destination)
        } else {
            memory.store16(0x0800, Ethernet.type)
            ip.store8(0x45, IPv4.versionAndLength)
            ip.store8(tos, IPv4.tos)
            ip.store16(IPv4.dontFragment, IPv4.flagsAndFragment)
            ip.store8(64, IPv4.ttl)
            ip.store8(17, IPv4.proto)
            ip.store32(UInt32(truncatingIfNeeded: source.low), IPv4.source)
            ip.store32(UInt32(truncatingIfNeeded: destination.low), IPv4.destination)
        }
        let udp = ip + ipLength
        udp.store16(sourcePort, 0)
        udp.store16(destinationPort, 2)
    }

    /// The headers of a datagram of so many bytes. Valid until the next one.
    func finish(payload: Int) -> iovec {
        let length = OuterHeaders.udpLength &+ payload
        (ip + ipLength).store16(UInt16(truncatingIfNeeded: length), 4)
        if isIPv6 {
            ip.store16(UInt16(truncatingIfNeeded: length), IPv6.payloadLength)
        } else {
            ip.store16(
                UInt16(truncatingIfNeeded: IPv4.minimumHeaderLength &+ length), IPv4.totalLength)
            let checksum = Checksum.ipv4Header(ip, headerLength: IPv4.minimumHeaderLength)
            ip.store16(checksum, IPv4.checksum)
        }
        return iovec(
            iov_base: memory,
            iov_len: Ethernet.headerLength &+ ipLength &+ OuterHeaders.udpLength)
    }
}
