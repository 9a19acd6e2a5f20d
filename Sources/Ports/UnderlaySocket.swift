internal import CLinux
import Glibc
public import Wire

/// What receiving and transmitting sockets of the underlay share, and what is asked of its routes.
public enum UnderlaySocket {
    /// A nonblocking UDP socket of `address`'s family; IPv6 sockets take no IPv4.
    static func make(for address: IPAddress) throws(SystemError) -> OwnedDescriptor {
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let type =
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = try OwnedDescriptor(
            socket(family, type, 0),
            of: "socket(\(address.isIPv6 ? "AF_INET6" : "AF_INET"), SOCK_DGRAM)")
        if address.isIPv6 {
            try descriptor.setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1, "IPV6_V6ONLY")
        }
        return descriptor
    }

    /// Binds, or gives the error number.
    static func bind(_ descriptor: borrowing OwnedDescriptor, to address: SocketAddress) -> Int32 {
        let number = descriptor.number
        return address.withSockaddr { Glibc.bind(number, $0, $1) == 0 ? 0 : errno }
    }

    static func bindAdvice(_ errno: Int32, _ address: SocketAddress) -> String? {
        switch errno {
        case EADDRINUSE:
            "another socket has UDP port \(address.port): a kernel VXLAN interface "
                + "(ip -d link show type vxlan), Open vSwitch, or another weftd "
                + "(ss -lunp sport = :\(address.port)); stop it or choose another port"
        case EADDRNOTAVAIL:
            "no interface of this host has the address \(address.address)"
        default: nil
        }
    }

    /// The largest datagram, outer IP header included, that reaches `destination` unfragmented,
    /// as far as the kernel knows: the route's MTU, or what ICMP has told.
    public static func pathMTU(
        from source: IPAddress, to destination: IPAddress
    ) throws(SystemError) -> Int {
        let descriptor = try make(for: destination)
        let call = "path MTU to \(destination)"
        let refusal = bind(descriptor, to: SocketAddress(source, port: 0))
        guard refusal == 0 else {
            throw SystemError(
                call: call, errno: refusal,
                advice: bindAdvice(refusal, SocketAddress(source, port: 0)))
        }
        // Any port: connecting a UDP socket sends nothing.
        let connected = SocketAddress(destination, port: 9).withSockaddr {
            connect(descriptor.number, $0, $1)
        }
        guard connected == 0 else { throw .last(call) }
        let mtu =
            destination.isIPv6
            ? descriptor.option(Int32(IPPROTO_IPV6), IPV6_MTU)
            : descriptor.option(Int32(IPPROTO_IP), IP_MTU)
        guard let mtu else { throw .last(call) }
        return Int(mtu)
    }

    /// The address by which an interface is reached: its first global IPv4 one, else IPv6.
    /// - Throws: `SystemError`, EADDRNOTAVAIL if it has neither.
    public static func address(ofInterface name: String) throws(SystemError) -> IPAddress {
        let addresses = try interfaceAddresses()
            .filter { $0.interface == name && isGlobal($0.address) }.map(\.address)
        guard let best = addresses.first(where: { !$0.isIPv6 }) ?? addresses.first else {
            throw SystemError(
                call: "underlay address of \(name)", errno: EADDRNOTAVAIL,
                advice: "give \(name) an address, or name the underlay address itself")
        }
        return best
    }

    /// The interface that has an address.
    /// - Throws: `SystemError`, EADDRNOTAVAIL if none has.
    public static func interface(of address: IPAddress) throws(SystemError) -> String {
        guard let found = try interfaceAddresses().first(where: { $0.address == address }) else {
            throw SystemError(
                call: "interface of \(address)", errno: EADDRNOTAVAIL,
                advice: "no interface of this host has the address \(address)")
        }
        return found.interface
    }

    private static func interfaceAddresses() throws(SystemError)
        -> [(interface: String, address: IPAddress)]
    {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { throw .last("getifaddrs") }
        defer { freeifaddrs(list) }
        var addresses: [(String, IPAddress)] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let socket = entry.pointee.ifa_addr.flatMap({ SocketAddress(at: $0) })
            else { continue }
            addresses.append((String(cString: entry.pointee.ifa_name), socket.address))
        }
        return addresses
    }

    /// Neither loopback nor link-local, which no other host could answer.
    private static func isGlobal(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let address): address.bits >> 24 != 127 && address.bits >> 16 != 0xa9fe
        case .v6(let address): !address.isLinkLocal && address != IPv6Address(high: 0, low: 1)
        }
    }
}
