/// How a lab's underlay is built.
public struct LabOptions: Sendable, Equatable, Codable {
    /// The underlay's MTU in bytes: 1500, or 9001 as within an EC2 VPC.
    public var mtu: Int
    /// What the wire's ends can do.
    public var profile: WireProfile
    /// Whether hosts have IPv6 underlay addresses too; `weftd` then uses those.
    public var ipv6Underlay: Bool
    /// What is between the hosts.
    public var wiring: Wiring

    /// Options; without arguments a provider's network as it is.
    public init(
        mtu: Int = 1500, profile: WireProfile = .nic, ipv6Underlay: Bool = false,
        wiring: Wiring = .vpc
    ) {
        self.mtu = mtu
        self.profile = profile
        self.ipv6Underlay = ipv6Underlay
        self.wiring = wiring
    }
}

extension LabOptions {
    /// From the state of a lab, perhaps one of an earlier version: what that did not know yet was
    /// as it is by default.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        mtu = try values.decodeIfPresent(Int.self, forKey: .mtu) ?? mtu
        profile = try values.decodeIfPresent(WireProfile.self, forKey: .profile) ?? profile
        ipv6Underlay =
            try values.decodeIfPresent(Bool.self, forKey: .ipv6Underlay) ?? ipv6Underlay
        wiring = try values.decodeIfPresent(Wiring.self, forKey: .wiring) ?? wiring
    }
}

/// What is between the hosts of a lab.
public enum Wiring: String, Sendable, Codable {
    /// A switch that forwards what a VPC forwards (`VPCFilter`).
    case vpc
    /// Nothing: one veth pair between two hosts. For measurements, in which the work of a switch
    /// on the same CPUs would be a part of every figure.
    case direct
}

/// A network that spans the hosts of a lab.
public struct LabNetwork: Sendable, Equatable {
    /// Its name, for example blue.
    public var name: String
    /// Its VXLAN network identifier, 1...16777215.
    public var vni: UInt32
    /// The MTU of its VMs' devices in bytes; nil lets `weftd` derive it from the underlay's.
    public var mtu: Int?

    /// A network.
    public init(_ name: String, vni: UInt32, mtu: Int? = nil) {
        self.name = name
        self.vni = vni
        self.mtu = mtu
    }
}
