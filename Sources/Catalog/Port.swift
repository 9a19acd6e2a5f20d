public import Wire

/// Where a VM, a bridge, a container or the host itself meets a network.
public struct Port: Sendable, Equatable {
    /// What the port is made of.
    public enum Kind: String, Sendable, CaseIterable {
        /// Weft creates a TAP and owns its queues; its device goes to whoever wants it.
        case tap
        /// A device that others created, attached by AF_PACKET.
        case interface
        /// A TAP whose device stays on the host, with addresses.
        case host
    }

    /// Unique among ports: 1...63 letters, digits, `-`, `_` or `.`.
    public var name: String
    /// Name of its network.
    public var network: String
    /// What it is made of.
    public var kind: Kind
    /// Name of the device, 1...15 bytes; for `tap` and `host` `weft-<name>` unless given.
    public var device: String
    /// Network namespace of the device, a name under /run/netns or an absolute path; nil = ours.
    public var netns: String?
    /// The only source addresses that may come from the port; empty = any.
    public var macs: [MACAddress] = []
    /// The only IP and ARP sources that may come from the port; empty = any. Needs `macs`.
    public var ips: [IPAddress] = []
    /// Whether many stations are behind the port (a bridge): no anti-spoofing, its stations are
    /// learned.
    public var trunk = false
    /// Addresses to set on the device; kind `host` only.
    public var addresses: [InterfaceAddress] = []
    /// The device's own MAC; kinds `tap` and `host` only, nil = the kernel's choice.
    public var mac: MACAddress?
    /// User who may open the TAP, a name or a number; kind `tap` only.
    public var owner: String?
    /// Group who may open the TAP, a name or a number; kind `tap` only.
    public var group: String?
    /// Whether frames to unknown stations are flooded to this port.
    public var floodUnknown = true
    /// What may pass it in each direction.
    public var limits = PortLimits()

    /// A port without anti-spoofing.
    public init(name: String, network: String, kind: Kind, device: String) {
        self.name = name
        self.network = network
        self.kind = kind
        self.device = device
    }

    /// Whether source MACs are checked.
    public var checksMACs: Bool { !macs.isEmpty }

    /// Whether sources of IP packets and of ARP and ND are checked.
    public var checksIPs: Bool { !ips.isEmpty }
}

/// An address of a device with the length of its subnet's prefix, as in `10.0.0.1/24`.
public struct InterfaceAddress: Hashable, Sendable {
    /// The device's own address.
    public let address: IPAddress
    /// Bits of the subnet's prefix, 0...32 or 0...128.
    public let prefixLength: Int

    /// Nil if the prefix is longer than the address.
    public init?(_ address: IPAddress, prefixLength: Int) {
        guard (0...(address.isIPv6 ? 128 : 32)).contains(prefixLength) else { return nil }
        self.address = address
        self.prefixLength = prefixLength
    }
}

extension InterfaceAddress: LosslessStringConvertible {
    /// Parses `address/length`; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])),
            let length = Int(parts[1]), parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else { return nil }
        self.init(address, prefixLength: length)
    }

    /// `address/length`.
    public var description: String { "\(address)/\(prefixLength)" }
}
