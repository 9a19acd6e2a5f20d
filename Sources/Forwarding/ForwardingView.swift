import Wire

/// All that forwarding reads and reports to during one turn of a worker. Valid until the worker's
/// next quiescent point.
@frozen
public struct ForwardingView: ~Copyable {
    public let topology: Topology
    public let endpoints: EndpointView
    public let neighbors: NeighborView
    public let counters: Counters
    public let learning: LearningQueue
    /// Seconds of the tables' writer's clock.
    public let now: UInt32

    package init(
        topology: Topology, endpoints: EndpointView, neighbors: NeighborView, counters: Counters,
        learning: LearningQueue, now: UInt32
    ) {
        self.topology = topology
        self.endpoints = endpoints
        self.neighbors = neighbors
        self.counters = counters
        self.learning = learning
        self.now = now
    }
}

extension ForwardingView {
    /// Reports where a source is if the tables say otherwise or have not heard of it for a while.
    @inline(__always)
    func learn(
        _ source: EndpointKey, at location: Location, known: (location: Location, seen: UInt32)?,
        network: UnsafePointer<NetworkEntry>, frame: UnsafeMutableRawPointer, _ layout: FrameLayout
    ) {
        let tellsAddress = layout.network == .arp || layout.transport == .icmpv6
        if let known, !tellsAddress {
            if known.location.isFixed { return }
            let isFresh = now &- known.seen < network.pointee.refreshAfter
            if isFresh, known.location.isSamePlace(as: location) { return }
        }
        report(source, at: location, frame: frame, layout)
    }

    @inline(never)
    private func report(
        _ source: EndpointKey, at location: Location, frame: UnsafeMutableRawPointer,
        _ layout: FrameLayout
    ) {
        let (address, role) = NeighborProxy.ownAddress(frame, layout, source: source.mac)
        let sighting = Sighting(
            endpoint: source, location: location, address: address, role: role)
        if !learning.report(sighting, now: now) { counters.add(.learningOverflows) }
    }
}
