// Egress: a frame from a port. What happens to it, in this order:
//
//   1. Is the port in use, is the source MAC one that a station can have, may VLAN tags pass?
//   2. Is the source the port's own (SourceCheck), and fixed nowhere else?
//   3. Learn where the source is. (ForwardingView.learn)
//   4. Is it an ARP or ND question that is answered here? (NeighborProxy)
//   5. Group addressed: flood.
//   6. Look up the destination: same host, a peer, or unknown.
//   7. For a peer: does the path take it? (PacketTooBig)
//
// No system call, no allocation, no lock: the verdict is carried out by the worker. Ingress is
// the mirror.

public import Wire

public enum Egress {
    /// Decides what becomes of a frame that came from `port`.
    ///
    /// `frame` holds `length` bytes and may be rewritten in place as a reply, for which it must
    /// have room for `replyCapacity` bytes. `wireLength` is the length of the largest frame that
    /// it will be on the wire: its own, or that of a superframe's segments.
    public static func decide(
        _ frame: UnsafeMutableRawPointer, length: Int, wireLength: Int, layout: FrameLayout,
        port: UInt16, _ view: borrowing ForwardingView
    ) -> Verdict {
        let from = view.topology.port(port)
        guard from.pointee.active else { return .drop(.portDown) }
        let network = view.topology.network(from.pointee.network)
        let source = MACAddress(at: frame + Ethernet.source)
        guard !source.isMulticast, source.bits != 0 else { return .drop(.invalidSourceMAC) }
        guard layout.tags == 0 || network.pointee.passesVLAN else {
            return .drop(.vlanNotAllowed)
        }
        if let reason = SourceCheck.reject(frame, layout, source: source, port: from, view.topology)
        {
            return .drop(reason)
        }

        let sourceKey = EndpointKey(network: from.pointee.network, mac: source)
        let known = view.endpoints.lookup(sourceKey)
        if let known, known.location.isFixed, !known.location.isSamePlace(as: .port(port)) {
            return .drop(.stolenMAC)
        }
        if network.pointee.learns {
            view.learn(
                sourceKey, at: .port(port), known: known, network: network, frame: frame, layout)
        }
        if network.pointee.answersNeighbors,
            let length = NeighborProxy.answer(
                frame, layout, source: source, port: port, network: from.pointee.network, view)
        {
            return .reply(length: UInt16(truncatingIfNeeded: length))
        }

        let destination = MACAddress(at: frame + Ethernet.destination)
        if destination.isMulticast { return .flood }
        let key = EndpointKey(network: from.pointee.network, mac: destination)
        guard let (location, _) = view.endpoints.lookup(key) else {
            return network.pointee.learns && from.pointee.floodsUnknown
                ? .flood : .drop(.unknownUnicast)
        }
        if location.isPort {
            return location.index == port ? .drop(.samePort) : .deliver(port: location.index)
        }
        let limit = maximumFrame(network, peer: location.index, tags: layout.tags, view.topology)
        guard wireLength <= limit else {
            return PacketTooBig.answer(frame, layout, limit: limit, network: network)
        }
        return .send(peer: location.index)
    }

    /// Frames between a `prefetch` and its `decide`: enough for memory to answer, few enough for
    /// what it answered to be still there.
    public static let prefetchDistance = 4

    /// Has the CPU fetch what `decide` will look up for a frame from `port`, which holds at least
    /// an Ethernet header. In a table of many megabytes the look-up is most of a decision's time,
    /// all of it waiting for memory.
    @inline(__always)
    public static func prefetch(
        _ frame: UnsafeRawPointer, port: UInt16, _ view: borrowing ForwardingView
    ) {
        let network = view.topology.port(port).pointee.network
        let destination = MACAddress(at: frame + Ethernet.destination)
        view.endpoints.prefetch(EndpointKey(network: network, mac: destination))
    }

    /// The longest frame of a network that a peer's path takes, Ethernet header included.
    @inlinable @inline(__always)
    public static func maximumFrame(
        _ network: UnsafePointer<NetworkEntry>, peer: UInt16, tags: UInt8, _ topology: Topology
    ) -> Int {
        let header = Ethernet.headerLength &+ Int(tags) &* Ethernet.tagLength
        return min(
            Int(network.pointee.mtu) &+ header, Int(topology.peer(peer).pointee.maximumFrame))
    }

    /// Room that a frame's buffer must have for a reply that is made in it.
    public static let replyCapacity = 2048
}
