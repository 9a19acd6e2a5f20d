import FoundationEssentials
import Glibc
public import Wire

/// A provider's network on one machine, made of network namespaces and veth pairs.
///
/// Hosts are namespaces on a switch (a namespace with a bridge) that forwards what EC2 forwards
/// (`VPCFilter`). VMs are namespaces on a host. All it makes carries the lab's name, is recorded
/// in `/run/weft-lab/<name>.json` before it is made, and goes with `tearDown`.
///
/// A lab belongs to one thread. Labs of different names do not see each other.
public final class Lab {
    /// Its name, which begins that of each of its namespaces.
    public let name: String
    /// How its underlay is built.
    public let options: LabOptions
    /// Its hosts, in the order in which they were added.
    public private(set) var hosts: [Host] = []
    /// The switch between the hosts; a router to other networks would be one more port of it.
    /// It does not exist where the hosts are wired directly.
    public let vpc: NetworkNamespace

    /// What guests boot, built with the first of them.
    var guestImage: GuestImage?

    private var state: LabState
    private static let bridge = "br0"

    /// Builds the switch, first removing what a lab of this name left behind when it crashed.
    ///
    /// Throws `LabError.inUse` while a lab of this name is standing or its process is alive.
    public init(name: String, options: LabOptions = LabOptions()) throws {
        try Self.prepare(name)
        self.name = name
        self.options = options
        vpc = NetworkNamespace("\(name)-vpc")
        state = LabState(
            name: name, owner: ProcessRecord(pid: getpid(), name: "weft"), options: options)
        try state.save()
        do {
            mkdir(directory, 0o755)
            if options.wiring == .vpc { try buildSwitch() }
        } catch {
            tearDown()
            throw error
        }
    }

    /// Builds a lab, hands it to `body`, and removes it whatever happens there.
    public static func with<Result>(
        name: String, options: LabOptions = LabOptions(), _ body: (Lab) throws -> Result
    ) throws -> Result {
        let lab = try Lab(name: name, options: options)
        defer { lab.tearDown() }
        return try body(lab)
    }

    /// All VMs, host by host.
    public var vms: [VM] { hosts.flatMap(\.vms) }

    /// All guests, host by host.
    public var guests: [Guest] { hosts.flatMap(\.guests) }

    /// Where configurations, sockets and logs are.
    public var directory: String { LabState.directory(of: name) }

    /// Adds a host, one-0 first, with its `eth0` on the switch. Hosts that are wired directly are
    /// two, and the first has its `eth0` when the second is there.
    @discardableResult
    public func addHost() throws -> Host {
        let host = Host(index: hosts.count, lab: self)
        if options.wiring == .direct, hosts.count == 2 {
            throw LabError.badName(host.name, reason: "a direct wire has two ends")
        }
        try makeNamespace(
            host.namespace, member: host.name, summary: "\(host.vtep), MAC \(host.mac)",
            ipv6: options.ipv6Underlay)
        switch options.wiring {
        case .vpc:
            let port = WireEnd(interface: host.name, namespace: vpc, mac: nil)
            try connect(WireEnd(host), port)
            try Command(
                ["ip", "-n", vpc.name, "link", "set", host.name, "master", Self.bridge, "up"]
            ).check()
            try register(host.members)
            try configureInterface(of: host)
        case .direct:
            if let first = hosts.first {
                try connect(WireEnd(first), WireEnd(host))
                for end in [first, host] { try configureInterface(of: end) }
            }
        }
        hosts.append(host)
        return host
    }

    /// Adds a VM. Its `eth0` comes with it if it is a veth, and with `weftd` if it is a TAP.
    ///
    /// Without a MAC it gets 02:00 and the octets of its first IPv4 address, so two VMs with the
    /// same address in two networks have the same MAC too, which a correct overlay keeps apart.
    @discardableResult
    public func addVM(
        _ name: String, on host: Host, network: LabNetwork, addresses: [VM.Address],
        mac: MACAddress? = nil, kind: VM.Kind = .tap
    ) throws -> VM {
        let mac = try admit(name, addresses: addresses, mac: mac)
        let vm = VM(
            name: name, host: host, network: network, kind: kind, mac: mac, addresses: addresses)
        let summary = addresses.map(\.description).joined(separator: " ")
        try makeNamespace(
            vm.namespace, member: name, summary: "\(summary) in \(network.name) on \(host.name)",
            ipv6: addresses.contains { $0.address.isIPv6 })
        if kind == .veth {
            let pair = """
                link add eth0 netns \(vm.namespace.name) type veth \
                peer name \(name) netns \(host.namespace.name)
                """
            try Command(["ip", "-batch", "-"], input: pair + "\n").check()
            try Command(["ip", "-n", host.namespace.name, "link", "set", name, "up"]).check()
            try vm.configureInterface()
        }
        host.vms.append(vm)
        return vm
    }

    /// What the switch has dropped since it was built.
    public func drops() throws -> [VPCDrop: UInt64] {
        guard options.wiring == .vpc else { return [:] }
        let listing = try Command(["nft", "list", "counters", "table", "bridge", VPCFilter.table])
            .inside(vpc).check()
        return VPCFilter.drops(inListing: listing)
    }

    /// Keeps the lab after this process: `weft lab down` or `Lab.remove` takes it down.
    public func leaveStanding() throws {
        state.owner = nil
        try state.save()
    }

    /// Removes what the lab made and nothing else. Runs to its end when interrupted.
    public func tearDown() {
        do {
            try state.remove()
        } catch {
            // The state file is still there for `weft lab down`; tear-down runs where nobody can
            // act on it.
            let text = "lab \(name): \(error)\n"
            write(STDERR_FILENO, text, text.utf8.count)
        }
    }

    func namespace(for member: String) -> NetworkNamespace { NetworkNamespace("\(name)-\(member)") }

    /// Checks the name of a VM or guest to be, and settles its MAC.
    func admit(_ name: String, addresses: [VM.Address], mac: MACAddress?) throws -> MACAddress {
        try Self.checkName(name, limit: 15)
        let others = hosts.flatMap { [$0.name] + $0.vms.map(\.name) + $0.guests.map(\.name) }
        if others.contains(name) {
            throw LabError.badName(name, reason: "the lab has one of this name")
        }
        guard let mac = mac ?? Self.mac(for: addresses) else {
            throw LabError.badName(name, reason: "a VM without IPv4 address needs a MAC")
        }
        return mac
    }

    func register(_ members: [VPCFilter.Member]) throws {
        guard options.wiring == .vpc else { return }
        try Command(["nft", "-f", "-"], input: VPCFilter.registration(of: members))
            .inside(vpc).check()
    }

    /// Starts a program in a namespace; it is recorded, and ends with the lab.
    func spawn(
        _ arguments: [String], in namespace: NetworkNamespace, name: String,
        inheriting: [Int32] = []
    ) throws -> LabProcess {
        try Interruption.check()
        let process = try LabProcess(
            name: name, arguments: ["ip", "netns", "exec", namespace.name] + arguments,
            logPath: "\(directory)/\(name).log", inheriting: inheriting)
        state.processes.append(process.record)
        try state.save()
        return process
    }
}

// MARK: - Building

extension Lab {
    private func buildSwitch() throws {
        try makeNamespace(vpc, member: nil, summary: "", ipv6: false)
        // A switch of a provider is no IGMP or STP speaker.
        let batch = """
            link add \(Self.bridge) type bridge stp_state 0 forward_delay 0 mcast_snooping 0
            link set \(Self.bridge) mtu \(options.mtu) up

            """
        try Command(["ip", "-n", vpc.name, "-batch", "-"], input: batch).check()
        try Command(["nft", "-f", "-"], input: VPCFilter.ruleset).inside(vpc).check()
    }

    private func makeNamespace(
        _ namespace: NetworkNamespace, member: String?, summary: String, ipv6: Bool
    ) throws {
        if namespace.exists {
            throw LabError.badName(
                namespace.name, reason: "a namespace of that name is there that no lab made")
        }
        state.namespaces.append(namespace.name)
        if let member {
            state.members.append(
                LabState.Member(name: member, namespace: namespace, summary: summary))
        }
        try state.save()
        try Command(["ip", "netns", "add", namespace.name]).check()
        // Unasked IPv6 would fill counters with router solicitations and listener reports.
        let disabled = ipv6 ? "0" : "1"
        try namespace.setSysctls([
            ("ipv6/conf/all/disable_ipv6", disabled),
            ("ipv6/conf/default/disable_ipv6", disabled),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/default/router_solicitations", "0"),
        ])
        try Command(["ip", "-n", namespace.name, "link", "set", "lo", "up"]).check()
    }

    /// An end of a veth pair to be.
    private struct WireEnd {
        var interface: String
        var namespace: NetworkNamespace
        /// Any, if nil.
        var mac: MACAddress?

        init(interface: String, namespace: NetworkNamespace, mac: MACAddress?) {
            self.interface = interface
            self.namespace = namespace
            self.mac = mac
        }

        init(_ host: Host) {
            self.init(interface: "eth0", namespace: host.namespace, mac: host.mac)
        }

        /// What ip-link(8) is told about it.
        func properties(mtu: Int) -> String {
            "\(interface) netns \(namespace.name) mtu \(mtu)" + (mac.map { " address \($0)" } ?? "")
        }
    }

    /// A veth pair of the underlay, with the wire profile's features on both ends.
    private func connect(_ one: WireEnd, _ other: WireEnd) throws {
        let pair = """
            link add \(one.properties(mtu: options.mtu)) \
            type veth peer name \(other.properties(mtu: options.mtu))
            """
        try Command(["ip", "-batch", "-"], input: pair + "\n").check()
        guard !options.profile.ethtoolFeatures.isEmpty else { return }
        for end in [one, other] {
            try Command(["ethtool", "-K", end.interface] + options.profile.ethtoolFeatures)
                .inside(end.namespace).check()
        }
    }

    private func configureInterface(of host: Host) throws {
        var batch = "addr add \(host.address4)/\(UnderlayPlan.prefixLength4) dev eth0\n"
        if let address6 = host.address6 {
            batch += "addr add \(address6)/\(UnderlayPlan.prefixLength6) dev eth0 nodad\n"
        }
        batch += "link set eth0 up\n"
        try Command(["ip", "-n", host.namespace.name, "-batch", "-"], input: batch).check()
    }

    private static func mac(for addresses: [VM.Address]) -> MACAddress? {
        for case .v4(let address) in addresses.lazy.map(\.address) {
            return UnderlayPlan.mac(for: address)
        }
        return nil
    }
}

// MARK: - Names, leftovers, other processes' labs

extension Lab {
    /// Removes a lab that stands or whose process is gone. Throws if it is in use or not there.
    public static func remove(name: String) throws {
        try prepareMachine()
        guard let state = try LabState.load(name) else { throw LabError.noSuchLab(name) }
        if let owner = state.owner, owner.isAlive {
            throw LabError.inUse(lab: name, by: "process \(owner.pid); stop that")
        }
        try state.remove()
    }

    private static func prepare(_ name: String) throws {
        try prepareMachine()
        try checkName(name, limit: 32)
        if let old = try LabState.load(name) {
            guard old.owner != nil else {
                throw LabError.inUse(
                    lab: name, by: "a lab left standing; weft lab down --name \(name) removes it")
            }
            try remove(name: name)
        }
        mkdir(LabState.root, 0o755)
    }

    private static func prepareMachine() throws {
        guard geteuid() == 0 else { throw LabError.notRoot }
        // su(1) without a dash keeps a search path without the administrator's directories.
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        if !path.split(separator: ":").contains("/usr/sbin") {
            setenv("PATH", path + ":/usr/sbin:/sbin", 1)
        }
    }

    private static func checkName(_ name: String, limit: Int) throws {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard allowed, !name.isEmpty, !name.hasPrefix("-"), name.utf8.count <= limit else {
            throw LabError.badName(
                name, reason: "letters a-z, digits and dashes, at most \(limit) of them")
        }
    }
}

// MARK: - Looking at labs from any process

extension Lab {
    /// The names of the labs of this machine, standing or in use.
    public static var names: [String] { LabState.names() }

    /// Where a host or VM of a lab is; `vpc` is the switch.
    public static func namespace(of member: String, inLab name: String) throws -> NetworkNamespace {
        guard let state = try LabState.load(name) else { throw LabError.noSuchLab(name) }
        if member == "vpc" { return NetworkNamespace("\(name)-vpc") }
        guard let found = state.members.first(where: { $0.name == member }) else {
            throw LabError.noSuchMember(member, lab: name)
        }
        return found.namespace
    }

    /// A lab for a person to read: a line for it, then one for each host, VM and process.
    public static func overview(of name: String) throws -> String {
        guard let state = try LabState.load(name) else { throw LabError.noSuchLab(name) }
        let owner = state.owner.map { "in use by process \($0.pid)" } ?? "standing"
        let options = state.options
        var lines = ["lab \(name): \(owner), MTU \(options.mtu), wire \(options.profile.rawValue)"]
        lines += state.members.map { "  \($0.name) (\($0.namespace.name)): \($0.summary)" }
        lines += state.processes.map {
            "  process \($0.pid) \($0.name): \($0.isAlive ? "running" : "ended")"
        }
        return lines.joined(separator: "\n")
    }
}
