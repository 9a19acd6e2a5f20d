public import Wire

/// A host of the emulated VPC: a namespace whose `eth0` is on the switch.
public final class Host {
    /// Its name, and that of its port on the switch: one-0, one-1, ...
    public let name: String
    /// Its place, from 0.
    public let index: Int
    /// Its network namespace.
    public let namespace: NetworkNamespace
    /// The MAC of its `eth0`.
    public let mac: MACAddress
    /// Its IPv4 address on the underlay.
    public let address4: IPv4Address
    /// Its IPv6 address there, if the lab has an IPv6 underlay.
    public let address6: IPv6Address?
    /// The VMs on it, in the order in which they were added.
    public internal(set) var vms: [VM] = []
    /// The guests on it, likewise.
    public internal(set) var guests: [Guest] = []

    unowned let lab: Lab

    init(index: Int, lab: Lab) {
        self.index = index
        self.lab = lab
        name = "one-\(index)"
        namespace = lab.namespace(for: name)
        address4 = UnderlayPlan.address4(ofHost: index)
        address6 = lab.options.ipv6Underlay ? UnderlayPlan.address6(ofHost: index) : nil
        mac = UnderlayPlan.mac(for: address4)
    }

    /// The address of its VTEP.
    public var vtep: IPAddress { address6.map(IPAddress.v6) ?? .v4(address4) }

    /// The sources that the switch takes from it from the start.
    var members: [VPCFilter.Member] {
        var addresses: [IPAddress] = [.v4(address4)]
        // Neighbour discovery probes from the link-local address.
        if let address6 { addresses += [.v6(address6), .v6(IPv6Address(linkLocalOf: mac))] }
        return addresses.map { VPCFilter.Member(port: name, mac: mac, address: $0) }
    }

    /// Runs a command on the host and waits for it, whatever its status.
    public func run(
        _ arguments: [String], input: String? = nil, timeout: Duration = .seconds(10)
    ) throws -> CommandResult {
        try namespace.run(arguments, input: input, timeout: timeout)
    }

    /// Starts a program that stays; what it says goes to `<name>.log` in the lab's directory.
    ///
    /// It inherits descriptors, whose numbers are beyond what it gets, as 3 and on.
    public func spawn(
        _ arguments: [String], name: String, inheriting: [Int32] = []
    ) throws -> LabProcess {
        try lab.spawn(
            arguments, in: namespace, name: "\(self.name)-\(name)", inheriting: inheriting)
    }

    /// Lets the switch take a further source address from this host, as when a provider assigns
    /// a secondary private address to its NIC. The host itself is not changed.
    public func registerSecondaryAddress(_ address: IPAddress) throws {
        try lab.register([VPCFilter.Member(port: name, mac: mac, address: address)])
    }
}
