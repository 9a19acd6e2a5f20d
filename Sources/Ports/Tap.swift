internal import CLinux
import Glibc
public import Wire

/// A TAP interface whose queues this process holds: it reads what the interface's side sends.
///
/// Each frame is preceded by a virtio_net_hdr of `virtioHeaderLength` bytes in the host's order.
/// The interface goes when the queues are closed, unless it is persistent.
public final class Tap: Sendable {
    /// Bytes of virtio_net_hdr_v1, with `num_buffers`, before each frame.
    public static let virtioHeaderLength = 12

    /// What to create or take over.
    public struct Options: Sendable {
        /// The interface's name, 1 to 15 bytes.
        public var name: String
        /// How many queues to open, 1 to 256: one for each worker.
        public var queues: Int
        /// Where the interface lives; `nil` is the namespace of the process.
        public var namespace: NetworkNamespace?
        /// Whether it outlives this process; `nil` leaves an existing one as it is.
        public var persistent: Bool?
        /// Who else may open it: a user's name or number.
        public var owner: String?
        /// Who else may open it: a group's name or number.
        public var group: String?
        /// Octets of a frame's payload; `nil` leaves it.
        public var mtu: Int?
        /// The address of the interface's side; `nil` leaves it.
        public var mac: MACAddress?
        /// Frames that wait to be read, per queue, before more are dropped: a second at 20,000
        /// frames a second, for a restart. Changing it later loses frames, for the kernel takes the
        /// device's queueing discipline off meanwhile (dev_qdisc_change_tx_queue_len).
        public var transmitQueueLength: Int
        /// Whether to set the interface up.
        public var up: Bool
        /// Whether UDP may come uncut, where the kernel can do that.
        public var udpSegmentation: Bool

        /// One queue, up, nothing else changed.
        public init(name: String, queues: Int = 1, namespace: NetworkNamespace? = nil) {
            self.name = name
            self.queues = queues
            self.namespace = namespace
            transmitQueueLength = 20480
            up = true
            udpSegmentation = true
        }
    }

    /// What the interface's side may leave to us: checksums to complete, frames to cut.
    public struct Offloads: OptionSet, Sendable, CustomStringConvertible {
        /// TUN_F_* bits.
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Frames may come with their checksum to be completed.
        public static let checksum = Offloads(rawValue: UInt32(TUN_F_CSUM))
        /// TCP over IPv4 may come uncut.
        public static let tso4 = Offloads(rawValue: UInt32(TUN_F_TSO4))
        /// TCP over IPv6 may come uncut.
        public static let tso6 = Offloads(rawValue: UInt32(TUN_F_TSO6))
        /// TCP with ECN bits may come uncut.
        public static let tsoECN = Offloads(rawValue: UInt32(TUN_F_TSO_ECN))
        /// UDP over IPv4 may come uncut (Linux 6.2; only together with `uso6`).
        public static let uso4 = Offloads(rawValue: UInt32(TUN_F_USO4))
        /// UDP over IPv6 may come uncut.
        public static let uso6 = Offloads(rawValue: UInt32(TUN_F_USO6))

        /// From the most to none: what is asked for in turn until the kernel takes it.
        static let bestFirst: [Offloads] = [
            [.checksum, .tso4, .tso6, .tsoECN, .uso4, .uso6],
            [.checksum, .tso4, .tso6, .tsoECN],
            [.checksum, .tso4, .tso6],
            [.checksum],
            [],
        ]

        public var description: String {
            let names: [(Offloads, String)] = [
                (.checksum, "csum"), (.tso4, "tso4"), (.tso6, "tso6"), (.tsoECN, "tso-ecn"),
                (.uso4, "uso4"), (.uso6, "uso6"),
            ]
            let set = names.filter { contains($0.0) }.map(\.1)
            return set.isEmpty ? "none" : set.joined(separator: " ")
        }
    }

    private let descriptors: OwnedDescriptors

    /// The descriptors of the queues, nonblocking, in order; open as long as this object lives.
    public let queues: [Int32]
    /// The interface's side, where it was opened.
    public let link: Link
    /// What the kernel granted.
    public let offloads: Offloads
    /// Whether the interface was there before.
    public let tookOver: Bool

    /// Creates the interface, or takes over a persistent one that nobody holds open.
    /// - Throws: `SystemError` with advice: EBUSY (another process holds it), EINVAL (it is no TAP,
    ///   or its multi-queue flag does not fit), ENOENT (no /dev/net/tun), EPERM.
    public init(_ options: Options) throws(SystemError) {
        let existing = try Self.existing(options)
        let opened = try NetworkNamespace.run(in: options.namespace) {
            () throws(SystemError) -> OwnedDescriptors in
            try Self.openQueues(options, multiQueue: Self.needsMultiQueue(existing))
        }
        queues = opened.numbers
        offloads = try Self.configure(opened.numbers, options)
        link = try Link(options.name, in: options.namespace)
        tookOver = existing != nil
        descriptors = opened
        try link.setTransmitQueueLength(options.transmitQueueLength)
        try setUp(options)
    }

    /// Goes on with the queues that an earlier process opened, and with the frames in them,
    /// wherever the interface was moved to meanwhile.
    /// - Throws: `SystemError`, EBADFD if these are not all queues of an interface of that name.
    public init(
        adopting queues: consuming OwnedDescriptors, _ options: Options
    ) throws(SystemError) {
        let numbers = queues.numbers
        let place = try Self.commonPlace(of: numbers, options)
        self.queues = numbers
        offloads = try Self.configure(numbers, options)
        tookOver = true
        descriptors = queues
        guard place == NetworkNamespace.identity(of: options.namespace) else {
            link = Link(absent: options.name, from: options.namespace)
            return
        }
        link = try Link(options.name, in: options.namespace)
        try setUp(options)
    }

    private func setUp(_ options: Options) throws(SystemError) {
        if let mac = options.mac { try link.setMAC(mac) }
        if let mtu = options.mtu { try link.setMTU(mtu) }
        if options.up { try link.setUp(true) }
    }

    /// The namespace of the interface whose queues these are.
    private static func commonPlace(
        of queues: [Int32], _ options: Options
    ) throws(SystemError) -> NetworkNamespace.Identity {
        let refusal = SystemError(call: "TAP \(options.name)", errno: EBADFD)
        guard let first = queues.first, queues.count == options.queues else { throw refusal }
        let found = try namespace(ofQueue: first) { space throws(SystemError) in
            (space.identity, try Link.state(named: options.name, in: space).tun)
        }
        guard let place = found.0, let tun = found.1,
            !tun.isMultiQueue || tun.queues == options.queues
        else { throw refusal }
        for queue in queues {
            guard isQueue(queue), try name(ofQueue: queue) == options.name,
                try namespace(ofQueue: queue, { $0.identity }) == place
            else { throw refusal }
        }
        return place
    }

    /// Whether a descriptor is what `openQueues` gives.
    private static func isQueue(_ number: Int32) -> Bool {
        let wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        let flags = weft_tun_flags(number)
        return flags >= 0 && flags & wanted == wanted && flags & IFF_DETACH_QUEUE == 0
    }

    /// Makes the interface outlive this process, or end with it.
    public func setPersistent(_ persistent: Bool) throws(SystemError) {
        try Self.check(
            weft_tun_set_persistent(queues[0], persistent ? 1 : 0),
            "TUNSETPERSIST \(link.name)")
    }

    /// Whether the interface still exists, wherever it was moved to and whatever its name is now.
    public var hasDevice: Bool { (try? currentName()) != nil }

    /// The interface as it is now, wherever it was moved to and whatever its name is.
    /// - Throws: `SystemError`, EBADFD once it is gone.
    public func state() throws(SystemError) -> LinkState {
        try inNamespace { namespace throws(SystemError) in
            try Link.state(named: currentName(), in: namespace)
        }
    }

    /// Sets the MTU of the interface, wherever it is now.
    public func setMTU(_ mtu: Int) throws(SystemError) {
        try inNamespace { namespace throws(SystemError) in
            try Link(currentName(), in: namespace).setMTU(mtu)
        }
    }

    /// The namespace that the interface is in now; nil once it is gone.
    public var namespaceIdentity: NetworkNamespace.Identity? {
        try? inNamespace { $0.identity }
    }

    private func currentName() throws(SystemError) -> String {
        try Self.name(ofQueue: queues[0])
    }

    private static func name(ofQueue queue: Int32) throws(SystemError) -> String {
        var name = [CChar](repeating: 0, count: Int(IFNAMSIZ))
        try check(weft_tun_name(queue, &name), "TUNGETIFF")
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Hands over a name of the namespace that the interface is in, good until `body` returns.
    private func inNamespace<Result>(
        _ body: (NetworkNamespace) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        try Self.namespace(ofQueue: queues[0], body)
    }

    private static func namespace<Result>(
        ofQueue queue: Int32, _ body: (NetworkNamespace) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        let number = weft_tun_namespace(queue)
        try check(min(number, 0), "TUNGETDEVNETNS")
        let descriptor = OwnedDescriptor(owning: number)
        let result = try body(NetworkNamespace("/proc/self/fd/\(descriptor.number)"))
        _ = consume descriptor
        return result
    }

    /// What fails if the driver is missing or forbidden, as `SystemError.call` names it.
    public static let openCall = "open /dev/net/tun"

    // MARK: - Opening

    /// The interface of that name, if there is one, and if it can be taken over at all.
    private static func existing(_ options: Options) throws(SystemError) -> LinkState.Tun? {
        guard (1...256).contains(options.queues) else {
            throw SystemError(
                call: "TAP \(options.name)", errno: EINVAL, advice: "queues must be 1 to 256")
        }
        guard try Link.exists(options.name, in: options.namespace) else { return nil }
        let state = try Link(options.name, in: options.namespace).state()
        guard let tun = state.tun, tun.isTap else {
            let kind = state.tun != nil ? "a TUN" : state.kind.isEmpty ? "a device" : state.kind
            throw SystemError(
                call: "TAP \(options.name)", errno: EEXIST,
                advice: "there is an interface of that name which is no TAP (\(kind)): "
                    + "choose another name, or attach it as a port of kind 'interface'")
        }
        // The kernel would let us share it: each would get half of the flows.
        guard tun.queues == 0 else {
            throw SystemError(
                call: "TUNSETIFF \(options.name)", errno: EBUSY,
                advice: attachAdvice(EBUSY, options.name))
        }
        guard tun.isMultiQueue || options.queues == 1 else {
            throw SystemError(
                call: "TAP \(options.name)", errno: EINVAL,
                advice: "it exists with one queue and \(options.queues) are asked for: remove it "
                    + "(ip link delete \(options.name)) or ask for one queue")
        }
        return tun
    }

    /// An existing interface must be opened with the flag that it was created with. A new one can
    /// have many queues, however many it has now: a persistent one outlives a change of workers.
    private static func needsMultiQueue(_ existing: LinkState.Tun?) -> Bool {
        existing?.isMultiQueue ?? true
    }

    private static func openQueues(
        _ options: Options, multiQueue: Bool
    ) throws(SystemError) -> OwnedDescriptors {
        var descriptors = OwnedDescriptors()
        for _ in 0..<options.queues {
            let number = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)
            guard number >= 0 else {
                throw .last(openCall, advice: openAdvice(errno))
            }
            let descriptor = OwnedDescriptor(owning: number)
            let flags = multiQueue ? IFF_MULTI_QUEUE : 0
            let refusal = -weft_tun_attach(descriptor.number, options.name, flags)
            guard refusal == 0 else {
                throw SystemError(
                    call: "TUNSETIFF \(options.name)", errno: refusal,
                    advice: attachAdvice(refusal, options.name))
            }
            descriptors.append(descriptor)
        }
        return descriptors
    }

    private static func openAdvice(_ errno: Int32) -> String? {
        switch errno {
        case ENOENT, ENXIO, ENODEV:
            "load the driver (modprobe tun); in a container pass the device /dev/net/tun"
        case EPERM, EACCES:
            "run as root; in a container or unit allow the device (DeviceAllow=/dev/net/tun rw)"
        default: nil
        }
    }

    private static func attachAdvice(_ errno: Int32, _ name: String) -> String? {
        switch errno {
        case EBUSY:
            "another process holds its queue open (fuser -v /dev/net/tun): stop it, or if it is "
                + "a VM's, attach \(name) as a port of kind 'interface'"
        case E2BIG: "all of its queues are held open by another process"
        case EINVAL: "an interface of that name is no TAP or has another multi-queue flag"
        case EPERM: Capability.advice("CAP_NET_ADMIN")
        default: nil
        }
    }

    // MARK: - Configuring

    private static func configure(
        _ queues: [Int32], _ options: Options
    ) throws(SystemError) -> Offloads {
        for queue in queues {
            try check(
                weft_tun_set_header_size(queue, Int32(virtioHeaderLength)),
                "TUNSETVNETHDRSZ \(options.name)")
            try check(
                weft_tun_set_unlimited_buffer(queue), "TUNSETSNDBUF \(options.name)")
        }
        if let owner = options.owner {
            let uid = try accountNumber(owner, "user") { getpwnam($0)?.pointee.pw_uid }
            try check(weft_tun_set_owner(queues[0], uid), "TUNSETOWNER \(options.name)")
        }
        if let group = options.group {
            let gid = try accountNumber(group, "group") { getgrnam($0)?.pointee.gr_gid }
            try check(weft_tun_set_group(queues[0], gid), "TUNSETGROUP \(options.name)")
        }
        if let persistent = options.persistent {
            try check(
                weft_tun_set_persistent(queues[0], persistent ? 1 : 0),
                "TUNSETPERSIST \(options.name)")
        }
        for offloads in Offloads.bestFirst {
            if offloads.contains(.uso4), !options.udpSegmentation { continue }
            // Offloads belong to the interface: setting them through one queue is enough.
            if weft_tun_set_offload(queues[0], offloads.rawValue) == 0 { return offloads }
        }
        throw SystemError(call: "TUNSETOFFLOAD \(options.name)", errno: EINVAL)
    }

    private static func accountNumber(
        _ text: String, _ what: String, _ lookUp: (String) -> UInt32?
    ) throws(SystemError) -> UInt32 {
        if let number = UInt32(text) ?? lookUp(text) { return number }
        throw SystemError(
            call: "look up \(what) \(text)", errno: ENOENT, advice: "there is no such \(what)")
    }

    private static func check(_ result: Int32, _ call: String) throws(SystemError) {
        guard result == 0 else { throw SystemError(call: call, errno: -result) }
    }
}
