internal import CLinux
import Glibc

/// An existing interface, taken over from the host's stack: a VM's TAP that QEMU holds, a veth.
///
/// Reading gives the frames that the interface receives, from the VM; writing sends through it, to
/// the VM. Each frame is preceded by a virtio_net_hdr of `virtioHeaderLength` bytes. While this
/// object lives, the host's own stack sees none of the frames received, whatever addresses or
/// bridges the interface has.
///
/// A VLAN tag is not in the frame as received: `VLANTag` finds it in the control messages.
///
/// When the interface is set down, a socket gives ENETDOWN once and goes on when it is up again.
/// When it is removed the sockets stay silent: `LinkMonitor` tells, and a new one has to be
/// attached again.
public final class PacketPort: Sendable {
    /// Bytes of virtio_net_hdr before each frame: without `num_buffers`.
    public static let virtioHeaderLength = 10

    private let descriptors: OwnedDescriptors
    private let drop: IngressDrop

    /// The sockets, nonblocking, one per worker; open as long as this object lives.
    public let sockets: [Int32]
    /// The interface.
    public let link: Link
    /// Bytes that each socket may queue, as the kernel counts them.
    public let bufferSize: Int

    /// Attaches to the interface `name`, and sets it up if it is down.
    /// - Parameters:
    ///   - sockets: how many to open; frames are spread over them by the hash of their flow.
    ///   - namespace: where the interface lives; `nil` is the namespace of the process.
    ///   - bufferSize: bytes of receive queue to ask for, each, as of `UnderlayReceiver`.
    /// - Throws: `SystemError` with advice: ENODEV (no such interface), EPERM.
    public init(
        _ name: String, sockets count: Int = 1, in namespace: NetworkNamespace? = nil,
        bufferSize: Int32 = 48 << 20
    ) throws(SystemError) {
        let link = try Link(name, in: namespace)
        // A fanout group takes only sockets of an interface that is up.
        if try !link.state().isUp { try link.setUp(true) }
        // First the filter, then the sockets: no frame is handled twice.
        let drop = try IngressDrop(on: link)
        var granted = Int.max
        let descriptors = try NetworkNamespace.run(in: namespace) {
            () throws(SystemError) -> OwnedDescriptors in
            var descriptors = OwnedDescriptors()
            var group: UInt32?
            for _ in 0..<count {
                let descriptor = try Self.open(link)
                granted = min(
                    granted,
                    descriptor.setBuffer(
                        force: SO_RCVBUFFORCE, limited: SO_RCVBUF, bytes: bufferSize))
                // The default holds three superframes.
                _ = descriptor.setBuffer(
                    force: SO_SNDBUFFORCE, limited: SO_SNDBUF, bytes: 8 << 20)
                try Self.bind(descriptor, link)
                if count > 1 { group = try Self.join(group, descriptor, name) }
                descriptors.append(descriptor)
            }
            return descriptors
        }
        sockets = descriptors.numbers
        self.link = link
        self.bufferSize = granted
        self.descriptors = descriptors
        self.drop = drop
    }

    /// Goes on with the sockets that an earlier process opened, and with the frames in them.
    /// - Throws: `SystemError`, EBADFD if these are not `count` packet sockets of that interface.
    public init(
        adopting sockets: consuming OwnedDescriptors, of name: String, sockets count: Int,
        in namespace: NetworkNamespace? = nil
    ) throws(SystemError) {
        let link = try Link(name, in: namespace)
        let place = NetworkNamespace.identity(of: namespace)
        let numbers = sockets.numbers
        guard numbers.count == count, numbers.allSatisfy({ Self.isBound($0, to: link, at: place) })
        else { throw SystemError(call: "packet sockets of \(name)", errno: EBADFD) }
        if try !link.state().isUp { try link.setUp(true) }
        drop = try IngressDrop(on: link)
        self.sockets = numbers
        self.link = link
        var size: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(numbers[0], SOL_SOCKET, SO_RCVBUF, &size, &length)
        bufferSize = Int(size)
        descriptors = sockets
    }

    /// Whether a descriptor is a packet socket of the interface. One whose interface was removed
    /// is bound to none.
    private static func isBound(
        _ number: Int32, to link: Link, at place: NetworkNamespace.Identity?
    ) -> Bool {
        var address = sockaddr_ll()
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(number, $0, &length) == 0
            }
        }
        guard named, address.sll_family == UInt16(AF_PACKET), address.sll_ifindex == link.index
        else { return false }
        let there = weft_socket_namespace(number)
        guard there >= 0 else { return false }
        defer { close(there) }
        return NetworkNamespace("/proc/self/fd/\(there)").identity == place
    }

    /// Leaves the filter that keeps frames from the host's stack when this object goes: another
    /// process goes on with the sockets.
    public func leaveFilter() { drop.leave() }

    /// Frames that found the buffer of their socket full.
    public var missedFrames: UInt64 {
        sockets.reduce(0) { $0 + OwnedDescriptor.drops(ofSocket: $1) }
    }

    /// A socket that is bound to nothing yet, so that it has no frame of another interface queued.
    private static func open(_ link: Link) throws(SystemError) -> OwnedDescriptor {
        let type =
            Int32(SOCK_RAW.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = try OwnedDescriptor(
            socket(AF_PACKET, type, 0), of: "socket(AF_PACKET)")
        for (option, name) in [
            (PACKET_VNET_HDR, "PACKET_VNET_HDR"), (PACKET_AUXDATA, "PACKET_AUXDATA"),
            (PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING"),
        ] {
            try descriptor.setOption(SOL_PACKET, option, 1, "\(name) \(link.name)")
        }
        // Saves the queueing discipline's lock; sending works without it, too.
        _ = descriptor.trySetOption(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        return descriptor
    }

    private static func bind(
        _ descriptor: borrowing OwnedDescriptor, _ link: Link
    ) throws(SystemError) {
        let number = descriptor.number
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = UInt16(ETH_P_ALL).bigEndian
        address.sll_ifindex = link.index
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(number, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
        guard bound == 0 else { throw .last("bind(AF_PACKET) \(link.name)") }
        // Frames to other addresses, too: a VM's may have many.
        var membership = packet_mreq()
        membership.mr_ifindex = link.index
        membership.mr_type = UInt16(PACKET_MR_PROMISC)
        let joined = setsockopt(
            number, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership,
            socklen_t(MemoryLayout<packet_mreq>.size))
        guard joined == 0 else { throw .last("PACKET_ADD_MEMBERSHIP \(link.name)") }
    }

    /// Joins the fanout group, or founds one with a number of the kernel's choice.
    private static func join(
        _ group: UInt32?, _ descriptor: borrowing OwnedDescriptor, _ name: String
    ) throws(SystemError) -> UInt32 {
        let unique = UInt32(PACKET_FANOUT_FLAG_UNIQUEID)
        let wanted = UInt32(PACKET_FANOUT_HASH) << 16 | (group ?? unique << 16)
        try descriptor.setOption(
            SOL_PACKET, PACKET_FANOUT, Int32(bitPattern: wanted), "PACKET_FANOUT \(name)")
        guard let now = descriptor.option(SOL_PACKET, PACKET_FANOUT) else {
            throw .last("PACKET_FANOUT \(name)")
        }
        return UInt32(bitPattern: now) & 0xffff
    }
}
