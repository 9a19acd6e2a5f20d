// Generated from the comments in Drop.swift by `make counters`; TidyTests compares the two.

extension Drop {
    /// The case's name, as in metrics: `tooBig`.
    public var name: String { "\(self)" }

    /// The case's comment, as the help text of its metric.
    public var help: String {
        switch self {
        case .runtFrame:
            "Shorter than an Ethernet header."
        case .malformedOffload:
            "The offload header in front of a VM's frame does not fit the frame."
        case .overRateFromVM:
            "More bytes from the VM than its port's `limits.fromVM.rate` lets pass."
        case .overPacketsFromVM:
            "More frames from the VM than its port's `limits.fromVM.packets` lets pass."
        case .invalidSourceMAC:
            "The source MAC is a group address or all zero."
        case .spoofedMAC:
            "The source MAC is none of those that the port may use."
        case .spoofedIP:
            "The source IP address, or the sender or target that ARP or ND tells, is none "
                + "of those that the port may use."
        case .vlanNotAllowed:
            "A VLAN tag, in a network that does not pass them."
        case .tooBig:
            "Larger than the path to the peer takes; the network has no gateway address to "
                + "say so from."
        case .samePort:
            "The destination is behind the port that the frame came from."
        case .unknownUnicast:
            "No endpoint has this destination MAC, and the network or port does not flood "
                + "unknown ones."
        case .nobodyToFlood:
            "A frame for everyone in a network in which nobody else is."
        case .notVXLAN:
            "Not a VXLAN datagram: shorter than the header, or without the I flag (RFC 7348 "
                + "section 5)."
        case .truncatedDatagram:
            "The datagram was cut off: larger than any datagram a peer sends."
        case .unknownPeer:
            "The sender is no configured peer."
        case .unknownVNI:
            "No network on this host has this VNI."
        case .peerNotInNetwork:
            "The sender is a peer, but not one of this network."
        case .splitHorizon:
            "The destination is behind another peer: a frame never goes from tunnel to "
                + "tunnel."
        case .stolenMAC:
            "A port or a peer uses a MAC that the configuration fixes to another place."
        case .congestionMarked:
            "The underlay marked congestion on a frame that cannot carry the mark (RFC 6040 "
                + "section 4.2)."
        case .underlayFull:
            "The underlay socket had no room."
        case .pathTooSmall:
            "The underlay's path takes no datagram of this size."
        case .underlayError:
            "The underlay refused the datagram: no route, interface down, filtered."
        case .overRateToVM:
            "More bytes for the VM than its port's `limits.toVM.rate` lets pass."
        case .overPacketsToVM:
            "More frames for the VM than its port's `limits.toVM.packets` lets pass."
        case .portFull:
            "The port had no room."
        case .portDown:
            "The port's interface is down or missing."
        case .portError:
            "The port refused the frame."
        case .outOfMemory:
            "The turn's memory for copies was used up by floods."
        }
    }
}
