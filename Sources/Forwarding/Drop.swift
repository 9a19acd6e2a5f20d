/// Why a frame went no further. There is no uncounted way out: whoever ends a frame's way names
/// one of these, and `Counters` counts it in one place.
///
/// Each case's comment is also the help text of its metric and its row in docs/counters.md.
public enum Drop: UInt8, CaseIterable, Sendable {
    // From a port.

    /// Shorter than an Ethernet header.
    case runtFrame
    /// The offload header in front of a VM's frame does not fit the frame.
    case malformedOffload
    /// More bytes from the VM than its port's `limits.fromVM.rate` lets pass.
    case overRateFromVM
    /// More frames from the VM than its port's `limits.fromVM.packets` lets pass.
    case overPacketsFromVM
    /// The source MAC is a group address or all zero.
    case invalidSourceMAC
    /// The source MAC is none of those that the port may use.
    case spoofedMAC
    /// The source IP address, or the sender or target that ARP or ND tells, is none of those that
    /// the port may use.
    case spoofedIP
    /// A VLAN tag, in a network that does not pass them.
    case vlanNotAllowed
    /// Larger than the path to the peer takes; the network has no gateway address to say so from.
    case tooBig
    /// The destination is behind the port that the frame came from.
    case samePort
    /// No endpoint has this destination MAC, and the network or port does not flood unknown ones.
    case unknownUnicast
    /// A frame for everyone in a network in which nobody else is.
    case nobodyToFlood

    // From the underlay.

    /// Not a VXLAN datagram: shorter than the header, or without the I flag (RFC 7348 section 5).
    case notVXLAN
    /// The datagram was cut off: larger than any datagram a peer sends.
    case truncatedDatagram
    /// The sender is no configured peer.
    case unknownPeer
    /// No network on this host has this VNI.
    case unknownVNI
    /// The sender is a peer, but not one of this network.
    case peerNotInNetwork
    /// The destination is behind another peer: a frame never goes from tunnel to tunnel.
    case splitHorizon
    /// A port or a peer uses a MAC that the configuration fixes to another place.
    case stolenMAC
    /// The underlay marked congestion on a frame that cannot carry the mark (RFC 6040 section 4.2).
    case congestionMarked

    // While being carried out.

    /// The underlay socket had no room.
    case underlayFull
    /// The underlay's path takes no datagram of this size.
    case pathTooSmall
    /// The underlay refused the datagram: no route, interface down, filtered.
    case underlayError
    /// More bytes for the VM than its port's `limits.toVM.rate` lets pass.
    case overRateToVM
    /// More frames for the VM than its port's `limits.toVM.packets` lets pass.
    case overPacketsToVM
    /// The port had no room.
    case portFull
    /// The port's interface is down or missing.
    case portDown
    /// The port refused the frame.
    case portError
    /// The turn's memory for copies was used up by floods.
    case outOfMemory

    /// How many reasons there are.
    public static let count = allCases.count
}
