public import Wire

/// A stand-in for a virtual machine: a namespace whose `eth0` is in a network of the overlay.
public final class VM {
    /// How its `eth0` meets the host.
    public enum Kind: Sendable, Equatable {
        /// `weftd` makes the TAP inside the VM's namespace.
        case tap
        /// A veth whose other end is on the host, under the VM's name: for a bridge there, or for
        /// `weftd` to attach as an existing interface.
        case veth
    }

    /// An address and the length of the prefix that is on link, as in 10.0.0.1/24.
    public struct Address: Sendable, Equatable {
        /// The address.
        public let address: IPAddress
        /// Its prefix length in bits.
        public let prefixLength: Int
    }

    /// Its name, unique in the lab; at most 15 bytes.
    public let name: String
    /// The host that it runs on.
    public unowned let host: Host
    /// The network that its `eth0` is in.
    public let network: LabNetwork
    /// How its `eth0` meets the host.
    public let kind: Kind
    /// Its network namespace.
    public let namespace: NetworkNamespace
    /// The MAC of its `eth0`.
    public let mac: MACAddress
    /// The addresses of its `eth0`.
    public let addresses: [Address]

    init(
        name: String, host: Host, network: LabNetwork, kind: Kind, mac: MACAddress,
        addresses: [Address]
    ) {
        self.name = name
        self.host = host
        self.network = network
        self.kind = kind
        self.mac = mac
        self.addresses = addresses
        namespace = host.lab.namespace(for: name)
    }

    /// Runs a command in the VM and waits for it, whatever its status.
    public func run(
        _ arguments: [String], input: String? = nil, timeout: Duration = .seconds(10)
    ) throws -> CommandResult {
        try namespace.run(arguments, input: input, timeout: timeout)
    }

    /// Starts a program that stays; what it says goes to `<name>.log` in the lab's directory.
    public func spawn(_ arguments: [String], name: String) throws -> LabProcess {
        try host.lab.spawn(arguments, in: namespace, name: "\(self.name)-\(name)")
    }

    /// Gives `eth0` its MAC and addresses and sets it up. Its MTU stays as it is.
    public func configureInterface() throws {
        var batch = "link set eth0 address \(mac)\n"
        if addresses.contains(where: \.address.isIPv6) {
            // A TAP comes up with a MAC of its own and keeps the link-local address of that.
            batch += "addr flush dev eth0 scope link\n"
            batch += "addr add \(IPv6Address(linkLocalOf: mac))/64 dev eth0 nodad\n"
        }
        for address in addresses {
            // An address that is still being checked for duplicates cannot be used.
            batch += "addr add \(address) dev eth0\(address.address.isIPv6 ? " nodad" : "")\n"
        }
        batch += "link set eth0 up\n"
        try Command(["ip", "-n", namespace.name, "-batch", "-"], input: batch).check()
    }
}

extension VM.Address: LosslessStringConvertible {
    /// Parses 10.0.0.1/24 or fd01::1/64; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])),
            let length = Int(parts[1]), (0...(address.isIPv6 ? 128 : 32)).contains(length)
        else { return nil }
        self.address = address
        prefixLength = length
    }

    /// As in 10.0.0.1/24.
    public var description: String { "\(address)/\(prefixLength)" }
}

extension VM.Address: ExpressibleByStringLiteral {
    /// An address written in the program; a wrong one is a programmer's mistake and traps.
    public init(stringLiteral text: String) {
        guard let address = VM.Address(text) else { preconditionFailure("not a prefix: \(text)") }
        self = address
    }
}
