/// What the wire between hosts can do, set on both ends of each of its veth pairs.
public enum WireProfile: String, Sendable, Codable, CaseIterable {
    /// A bare veth, which carries encapsulated superframes whole. No NIC does: it flatters.
    case ideal
    /// Like a NIC without tunnel offloads (ENA): large sends are cut into packets in software,
    /// and the receiver merges them again.
    case nic

    /// What ethtool -K sets on a device; empty if nothing.
    ///
    /// `tso off` also makes the peer's GRO run: veth leaves it out while its peer has TSO.
    var ethtoolFeatures: [String] {
        switch self {
        case .ideal: []
        case .nic:
            [
                "tx-udp_tnl-segmentation", "off", "tx-udp_tnl-csum-segmentation", "off",
                "tx-udp-segmentation", "off", "tx-gre-segmentation", "off",
                "tx-ipxip4-segmentation", "off", "tso", "off", "gro", "on",
            ]
        }
    }
}
