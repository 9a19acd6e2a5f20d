internal import CLinux
import Glibc
public import Wire

/// A network interface of this host, or of a namespace on it, through rtnetlink(7).
///
/// Keeps the interface's index, so that it stays the same one when it is renamed.
public struct Link: Sendable, Hashable {
    /// Its number within its namespace.
    public let index: Int32
    /// The name by which it was found.
    public let name: String
    /// Where it lives; `nil` is the namespace of the process.
    public let namespace: NetworkNamespace?

    /// Finds an interface.
    /// - Throws: `SystemError`, ENODEV if there is none of that name.
    public init(_ name: String, in namespace: NetworkNamespace? = nil) throws(SystemError) {
        index = try Self.state(named: name, in: namespace).index
        self.name = name
        self.namespace = namespace
    }

    /// One that has left the namespace in which it was made. Has no number there: requests fail.
    init(absent name: String, from namespace: NetworkNamespace?) {
        index = 0
        self.name = name
        self.namespace = namespace
    }

    /// Whether it has left the namespace in which it was made.
    public var isAbsent: Bool { index == 0 }

    /// Whether there is an interface of that name.
    public static func exists(
        _ name: String, in namespace: NetworkNamespace? = nil
    ) throws(SystemError) -> Bool {
        do {
            _ = try state(named: name, in: namespace)
            return true
        } catch {
            if error.errno == ENODEV { return false }
            throw error
        }
    }

    /// All interfaces of a namespace.
    public static func all(
        in namespace: NetworkNamespace? = nil
    ) throws(SystemError) -> [LinkState] {
        let request = NetlinkRequest(
            type: Int(RTM_GETLINK), flags: NLM_F_ROOT | NLM_F_MATCH, fixed: ifinfomsg())
        return try NetworkNamespace.run(in: namespace) { () throws(SystemError) in
            try NetlinkSocket().ask(request, "list interfaces")
        }
        .filter { $0.type == Int(RTM_NEWLINK) }
        .map { LinkState(body: $0.body) }
    }

    static func state(
        named name: String, in namespace: NetworkNamespace?
    ) throws(SystemError) -> LinkState {
        guard !name.isEmpty, name.utf8.count < Int(IFNAMSIZ) else {
            throw SystemError(
                call: "interface \(name)", errno: EINVAL,
                advice: "a name has 1 to \(IFNAMSIZ - 1) bytes")
        }
        var request = NetlinkRequest(
            type: Int(RTM_GETLINK), flags: NLM_F_ACK, fixed: ifinfomsg())
        request.attribute(Int(IFLA_IFNAME), name)
        return try firstState(request, "interface \(name)", in: namespace)
    }

    private static func firstState(
        _ request: NetlinkRequest, _ call: String, in namespace: NetworkNamespace?
    ) throws(SystemError) -> LinkState {
        let answers = try NetworkNamespace.run(in: namespace) { () throws(SystemError) in
            try NetlinkSocket().ask(request, call)
        }
        guard let answer = answers.first(where: { $0.type == Int(RTM_NEWLINK) }) else {
            throw SystemError(call: call, errno: ENODEV)
        }
        return LinkState(body: answer.body)
    }

    // MARK: - Looking

    /// What it is now.
    /// - Throws: `SystemError`, ENODEV once it is gone.
    public func state() throws(SystemError) -> LinkState {
        let request = NetlinkRequest(
            type: Int(RTM_GETLINK), flags: NLM_F_ACK, fixed: fixedPart())
        return try Self.firstState(request, "interface \(name)", in: namespace)
    }

    // MARK: - Changing

    /// Sets the MTU, in octets without the Ethernet header.
    public func setMTU(_ mtu: Int) throws(SystemError) {
        try change("set mtu \(mtu) on \(name)") {
            // Out of range either way is what the kernel refuses as too large.
            $0.attribute(Int(IFLA_MTU), UInt32(exactly: mtu) ?? .max)
        }
    }

    /// Sets the Ethernet address.
    public func setMAC(_ mac: MACAddress) throws(SystemError) {
        let octets = (0..<6).map(mac.octet)
        try change("set address \(mac) on \(name)") { $0.attribute(Int(IFLA_ADDRESS), octets) }
    }

    /// Sets how many frames its transmit queue holds.
    public func setTransmitQueueLength(_ frames: Int) throws(SystemError) {
        try change("set txqueuelen \(frames) on \(name)") {
            $0.attribute(Int(IFLA_TXQLEN), UInt32(clamping: frames))
        }
    }

    /// Sets the longest superframe that the host's stack hands to it, in bytes.
    public func setSegmentationLimit(_ bytes: Int) throws(SystemError) {
        try change("set gso_max_size \(bytes) on \(name)") {
            $0.attribute(Int(IFLA_GSO_MAX_SIZE), UInt32(clamping: bytes))
        }
    }

    /// Sets it up or down.
    public func setUp(_ up: Bool) throws(SystemError) {
        let flag: UInt32 = 0x1  // IFF_UP
        var fixed = fixedPart()
        fixed.ifi_flags = up ? flag : 0
        fixed.ifi_change = flag
        try change("set \(name) \(up ? "up" : "down")", fixed) { _ in }
    }

    /// Moves it under a bridge, or with `nil` out of it.
    public func setMaster(_ master: Link?) throws(SystemError) {
        try change("set master \(master?.name ?? "none") on \(name)") {
            $0.attribute(Int(IFLA_MASTER), UInt32(master?.index ?? 0))
        }
    }

    /// Removes the interface.
    public func delete() throws(SystemError) {
        try tell(
            NetlinkRequest(type: Int(RTM_DELLINK), flags: NLM_F_ACK, fixed: fixedPart()),
            "delete \(name)")
    }

    /// Gives it an address; one that it already has is replaced, never an error.
    /// - Parameter skipDuplicateDetection: of IPv6 only: use the address at once (IFA_F_NODAD), as
    ///   for one that other hosts have too, on purpose.
    public func addAddress(
        _ address: IPAddress, prefixLength: Int, skipDuplicateDetection: Bool = false
    ) throws(SystemError) {
        var fixed = fixedPart(address, prefixLength)
        fixed.ifa_flags = skipDuplicateDetection && address.isIPv6 ? UInt8(IFA_F_NODAD) : 0
        let request = NetlinkRequest(
            type: Int(RTM_NEWADDR), flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, fixed: fixed)
        try tell(
            Self.naming(address, in: request), "add address \(address)/\(prefixLength) to \(name)")
    }

    /// Takes an address from it.
    /// - Throws: `SystemError`, EADDRNOTAVAIL if it does not have it.
    public func removeAddress(_ address: IPAddress, prefixLength: Int) throws(SystemError) {
        let request = NetlinkRequest(
            type: Int(RTM_DELADDR), flags: NLM_F_ACK, fixed: fixedPart(address, prefixLength))
        try tell(
            Self.naming(address, in: request),
            "remove address \(address)/\(prefixLength) from \(name)")
    }

    private func fixedPart(_ address: IPAddress, _ prefixLength: Int) -> ifaddrmsg {
        var fixed = ifaddrmsg()
        fixed.ifa_family = UInt8(address.isIPv6 ? AF_INET6 : AF_INET)
        fixed.ifa_prefixlen = UInt8(clamping: prefixLength)
        fixed.ifa_index = UInt32(bitPattern: index)
        return fixed
    }

    private static func naming(_ address: IPAddress, in request: NetlinkRequest) -> NetlinkRequest {
        var request = request
        let octets = octets(of: address)
        request.attribute(Int(IFA_LOCAL), octets)
        request.attribute(Int(IFA_ADDRESS), octets)
        return request
    }

    private static func octets(of address: IPAddress) -> [UInt8] {
        switch address {
        case .v4(let address):
            return withUnsafeBytes(of: address.bits.bigEndian) { Array($0) }
        case .v6(let address):
            return withUnsafeBytes(of: (address.high.bigEndian, address.low.bigEndian)) {
                Array($0)
            }
        }
    }

    private func fixedPart() -> ifinfomsg {
        var fixed = ifinfomsg()
        fixed.ifi_index = index
        return fixed
    }

    private func change(
        _ call: String, _ fixed: ifinfomsg? = nil, _ fill: (inout NetlinkRequest) -> Void
    ) throws(SystemError) {
        var request = NetlinkRequest(
            type: Int(RTM_NEWLINK), flags: NLM_F_ACK, fixed: fixed ?? fixedPart())
        fill(&request)
        try tell(request, call)
    }

    private func tell(_ request: NetlinkRequest, _ call: String) throws(SystemError) {
        _ = try NetworkNamespace.run(in: namespace) { () throws(SystemError) in
            try NetlinkSocket().ask(request, call)
        }
    }
}
