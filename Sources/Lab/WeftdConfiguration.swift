public import Wire

/// The configuration file of one host's `weftd`, as the lab writes it.
///
/// `settings` are further keys by name, with values as YAML writes them: what a test or benchmark
/// wants otherwise than the daemon's defaults, for example `["learning": "false"]`.
public struct WeftdConfiguration: Sendable, Equatable {
    /// A network as this host knows it.
    public struct Network: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Its VXLAN network identifier.
        public var vni: UInt32
        /// The MTU of its VMs in bytes; nil leaves it to the daemon.
        public var mtu: Int?
        /// Further keys.
        public var settings: [String: String] = [:]

        /// A network.
        public init(name: String, vni: UInt32, mtu: Int? = nil) {
            self.name = name
            self.vni = vni
            self.mtu = mtu
        }
    }

    /// Another host.
    public struct Peer: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Its VTEP.
        public var address: IPAddress
        /// Further keys.
        public var settings: [String: String] = [:]

        /// A host that need not be there.
        public init(name: String, address: IPAddress) {
            self.name = name
            self.address = address
        }
    }

    /// Where a VM meets its network.
    public struct Port: Sendable, Equatable {
        /// Its name, which is the VM's.
        public var name: String
        /// The name of its network.
        public var network: String
        /// tap, interface or host.
        public var kind: String
        /// The name of the device.
        public var device: String
        /// The namespace to make the TAP in; nil is the host's.
        public var netns: String?
        /// The source MACs that it may use; any, if empty.
        public var macs: [MACAddress]
        /// The source addresses that it may use; any, if empty.
        public var ips: [IPAddress]
        /// Further keys.
        public var settings: [String: String] = [:]

        /// A port that is no VM's: any source may use it unless `macs` and `ips` say otherwise.
        public init(
            name: String, network: String, kind: String, device: String, netns: String? = nil,
            macs: [MACAddress] = [], ips: [IPAddress] = [], settings: [String: String] = [:]
        ) {
            self.name = name
            self.network = network
            self.kind = kind
            self.device = device
            self.netns = netns
            self.macs = macs
            self.ips = ips
            self.settings = settings
        }
    }

    /// The host's name.
    public var host: String
    /// Its VTEP.
    public var underlayAddress: IPAddress
    /// The UDP port of VXLAN.
    public var underlayPort: UInt16 = 4789
    /// Further keys of `underlay`.
    public var underlaySettings: [String: String] = [:]
    /// Its dataplane workers.
    public var workers = 1
    /// The other hosts.
    public var peers: [Peer]
    /// The networks.
    public var networks: [Network]
    /// The ports.
    public var ports: [Port]
    /// Further keys of the whole file.
    public var settings: [String: String] = [:]

    /// What a host of a lab needs for the networks and VMs that are there now.
    init(of host: Host, in lab: Lab) {
        self.host = host.name
        underlayAddress = host.vtep
        peers = lab.hosts.filter { $0 !== host }.map { Peer(name: $0.name, address: $0.vtep) }
        // Each host has each network, as a cloud's hosts may: VMs come and go.
        networks = []
        for network in lab.vms.map(\.network) + lab.guests.map(\.network)
        where !networks.contains(where: { $0.name == network.name }) {
            networks.append(Network(name: network.name, vni: network.vni, mtu: network.mtu))
        }
        ports = host.vms.map(Port.init) + host.guests.map(Port.init)
    }

    /// The file's text.
    public var yaml: String {
        let underlay: Entries =
            [("address", "\"\(underlayAddress)\""), ("port", "\(underlayPort)")]
            + Self.sorted(underlaySettings)
        var lines = ["host: \(host)", "underlay: \(Self.map(underlay))", "workers: \(workers)"]
        lines += settings.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        lines += Self.list("peers", peers.map(\.entries))
        lines += Self.list("networks", networks.map(\.entries))
        lines += Self.list("ports", ports.map(\.entries))
        return lines.joined(separator: "\n") + "\n"
    }

    typealias Entries = [(key: String, value: String)]

    private static func list(_ key: String, _ items: [Entries]) -> [String] {
        guard !items.isEmpty else { return ["\(key): []"] }
        return ["\(key):"] + items.map { "  - " + map($0) }
    }

    private static func map(_ entries: Entries) -> String {
        "{ " + entries.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + " }"
    }

    fileprivate static func sorted(_ settings: [String: String]) -> Entries {
        settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// A sequence of scalars in quotes: YAML 1.1 takes some MACs for numbers of base 60.
    fileprivate static func sequence(_ values: [some CustomStringConvertible]) -> String {
        "[" + values.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    }
}

extension WeftdConfiguration.Network {
    fileprivate var entries: WeftdConfiguration.Entries {
        [("name", name), ("vni", "\(vni)"), ("mtu", mtu.map(String.init) ?? "auto")]
            + WeftdConfiguration.sorted(settings)
    }
}

extension WeftdConfiguration.Peer {
    fileprivate var entries: WeftdConfiguration.Entries {
        [("name", name), ("address", "\"\(address)\"")] + WeftdConfiguration.sorted(settings)
    }
}

extension WeftdConfiguration.Port {
    /// The port of a VM, which may use its own MAC and addresses only.
    init(_ vm: VM) {
        self.init(
            name: vm.name, network: vm.network.name,
            kind: vm.kind == .tap ? "tap" : "interface",
            device: vm.kind == .tap ? "eth0" : vm.name,
            netns: vm.kind == .tap ? vm.namespace.name : nil,
            macs: [vm.mac], ips: Self.sources(vm.addresses, mac: vm.mac))
    }

    /// The port of a guest: the TAP that its QEMU owns.
    init(_ guest: Guest) {
        self.init(
            name: guest.name, network: guest.network.name, kind: "interface", device: guest.name,
            netns: nil, macs: [guest.mac], ips: Self.sources(guest.addresses, mac: guest.mac))
    }

    private static func sources(_ addresses: [VM.Address], mac: MACAddress) -> [IPAddress] {
        let addresses = addresses.map(\.address)
        guard addresses.contains(where: \.isIPv6) else { return addresses }
        // Neighbour discovery speaks from the link-local address.
        return addresses + [.v6(IPv6Address(linkLocalOf: mac))]
    }

    fileprivate var entries: WeftdConfiguration.Entries {
        var entries = [
            ("name", name), ("network", network), ("kind", kind), ("device", device),
        ]
        if let netns { entries.append(("netns", netns)) }
        if !macs.isEmpty { entries.append(("macs", WeftdConfiguration.sequence(macs))) }
        if !ips.isEmpty { entries.append(("ips", WeftdConfiguration.sequence(ips))) }
        return entries + WeftdConfiguration.sorted(settings)
    }
}
