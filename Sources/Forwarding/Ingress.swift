// Ingress: a datagram from the underlay. What happens to it, in this order:
//
//   1. Who sent it: a configured peer? (once per train of datagrams, `Topology.peer(at:)`)
//   2. Is it VXLAN, do we have its network, does the peer have it? (`admit`)
//   3. Is the inner source MAC one that a station can have, may VLAN tags pass?
//   4. Is the source one that is fixed somewhere else?
//   5. Did the underlay mark congestion? (ECN)
//   6. Learn where the source is. (ForwardingView.learn)
//   7. Group addressed: flood to this host's ports only, never into a tunnel (split horizon).
//   8. Look up the destination: a port of this host, or unknown.
//
// No system call, no allocation, no lock: the verdict is carried out by the worker. Egress is the
// mirror.

public import Wire

public enum Ingress {
    /// What `admit` found.
    @frozen
    public enum Admission: Equatable {
        case network(UInt16)
        case drop(Drop)
    }

    /// Checks the VXLAN header (RFC 7348 section 5: only the I flag counts, reserved bits are
    /// ignored) of a datagram of `length` bytes and that the peer has its network.
    public static func admit(
        _ datagram: UnsafeRawPointer, length: Int, peer: UInt16, _ view: borrowing ForwardingView
    ) -> Admission {
        guard length >= VXLAN.headerLength, let vni = VXLAN.vni(at: datagram) else {
            return .drop(.notVXLAN)
        }
        guard let network = view.topology.network(vni: vni) else { return .drop(.unknownVNI) }
        guard view.topology.isMember(peer: peer, of: network) else {
            return .drop(.peerNotInNetwork)
        }
        return .network(network)
    }

    /// Decides what becomes of an inner frame that came from `peer` in `network`.
    ///
    /// `outerTOS` is the outer header's TOS or traffic class; its congestion mark may be copied
    /// into the frame.
    public static func decide(
        _ frame: UnsafeMutableRawPointer, layout: FrameLayout, outerTOS: UInt8, peer: UInt16,
        network index: UInt16, _ view: borrowing ForwardingView
    ) -> Verdict {
        let network = view.topology.network(index)
        let source = MACAddress(at: frame + Ethernet.source)
        guard !source.isMulticast, source.bits != 0 else { return .drop(.invalidSourceMAC) }
        guard layout.tags == 0 || network.pointee.passesVLAN else {
            return .drop(.vlanNotAllowed)
        }
        let sourceKey = EndpointKey(network: index, mac: source)
        let known = view.endpoints.lookup(sourceKey)
        if let known, known.location.isFixed, !known.location.isSamePlace(as: .peer(peer)) {
            return .drop(.stolenMAC)
        }
        guard ECN.decapsulate(frame, layout, outer: outerTOS) else {
            return .drop(.congestionMarked)
        }
        if network.pointee.learns {
            view.learn(
                sourceKey, at: .peer(peer), known: known, network: network, frame: frame, layout)
        }

        let destination = MACAddress(at: frame + Ethernet.destination)
        if destination.isMulticast { return .flood }
        let key = EndpointKey(network: index, mac: destination)
        guard let (location, _) = view.endpoints.lookup(key) else {
            return network.pointee.learns ? .flood : .drop(.unknownUnicast)
        }
        return location.isPort ? .deliver(port: location.index) : .drop(.splitHorizon)
    }
}
