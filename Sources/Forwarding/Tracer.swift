// Tracer: what would become of a frame that nobody has sent. The decisions are those of Egress and
// Ingress, which run on a copy of the frame with the live tables; what they count and report goes
// to memory of its own. Nothing is decided here: beside their verdict stands what they found when
// they looked something up.

package import Wire

package enum Tracer {
    /// What workers make of a superframe at most.
    package struct Limits {
        package let frames: Int
        /// Bytes of one message of datagrams.
        package let messageBytes: Int

        package init(frames: Int, messageBytes: Int) {
            self.frames = frames
            self.messageBytes = messageBytes
        }
    }

    /// A frame from a port, behind a virtio header.
    package static func fromPort(
        _ bytes: [UInt8], _ virtio: VirtioHeader, port: UInt16, _ limits: Limits,
        _ tables: TableKeeper, now: UInt32
    ) -> TracedFrame {
        trace(bytes, tables, now) { frame, view in
            var traced = TracedFrame()
            traced.network = view.topology.port(port).pointee.network
            guard let layout = FrameLayout.parse(frame, length: bytes.count) else { return traced }
            var wireLength = bytes.count
            if virtio.isSuperframe {
                do throws(SegmentRefusal) {
                    let plan = try SegmentPlan.make(frame, layout, virtio)
                    traced.cut = TracedFrame.Cut(plan, limits)
                    wireLength = plan.longestFrame
                } catch {
                    traced.refusal = error
                }
                guard let cut = traced.cut, cut.frames <= limits.frames else {
                    traced.layout = layout
                    traced.verdict = .drop(.malformedOffload)
                    return traced
                }
            }
            traced.look(frame, layout, view)
            traced.verdict = Egress.decide(
                frame, length: bytes.count, wireLength: wireLength, layout: layout, port: port,
                view)
            traced.carryOut(frame, from: port, wireLength: wireLength, view)
            return traced
        }
    }

    /// A datagram from the underlay: its payload, from the VXLAN header on, and the TOS or traffic
    /// class of its IP header.
    package static func fromUnderlay(
        _ bytes: [UInt8], tos: UInt8 = 0, from address: IPAddress, _ tables: TableKeeper,
        now: UInt32
    ) -> TracedFrame {
        trace(bytes, tables, now) { datagram, view in
            var traced = TracedFrame()
            guard let peer = view.topology.peer(at: address.mapped) else {
                traced.verdict = .drop(.unknownPeer)
                return traced
            }
            traced.peer = peer
            switch Ingress.admit(datagram, length: bytes.count, peer: peer, view) {
            case .network(let network): traced.network = network
            case .drop(let reason):
                traced.verdict = .drop(reason)
                return traced
            }
            let frame = datagram + VXLAN.headerLength
            let length = bytes.count - VXLAN.headerLength
            guard let layout = FrameLayout.parse(frame, length: length),
                let network = traced.network
            else { return traced }
            traced.look(frame, layout, view)
            traced.verdict = Ingress.decide(
                frame, layout: layout, outerTOS: tos, peer: peer, network: network, view)
            traced.carryOut(frame, from: nil, wireLength: length, view)
            return traced
        }
    }

    /// Lends a copy of the bytes, with room for a reply, and a view of the tables whose counters
    /// and reports nobody sees. Reports are noted in what `body` gives.
    private static func trace(
        _ bytes: [UInt8], _ tables: TableKeeper, _ now: UInt32,
        _ body: (UnsafeMutableRawPointer, borrowing ForwardingView) -> TracedFrame
    ) -> TracedFrame {
        let room = max(bytes.count, Egress.replyCapacity)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: room)
        for (offset, byte) in bytes.enumerated() { memory.store8(byte, offset) }
        let topology = tables.topology.view
        let counters = Counters(
            portCapacity: topology.portCount, peerCapacity: topology.peerCount)
        let queue = LearningQueue()
        defer {
            memory.deallocate()
            counters.deallocate()
            queue.deallocate()
        }
        let view = ForwardingView(
            topology: topology, endpoints: tables.endpoints.view, neighbors: tables.neighbors.view,
            counters: counters, learning: queue, now: now)
        var traced = body(memory, view)
        traced.sighting = queue.take()
        return traced
    }
}

extension TracedFrame {
    /// What the tables know of the frame, before it is decided on: a reply overwrites it.
    fileprivate mutating func look(
        _ frame: UnsafeMutableRawPointer, _ layout: FrameLayout, _ view: borrowing ForwardingView
    ) {
        self.layout = layout
        source = MACAddress(at: frame + Ethernet.source)
        destination = MACAddress(at: frame + Ethernet.destination)
        flowHash = FlowHash.of(frame, layout)
        mark = ECN.encapsulate(frame, layout)
        guard let network else { return }
        knownSource = view.known(source, network)
        knownDestination = view.known(destination, network)
        guard let target = NeighborProxy.target(frame, layout) else { return }
        let owner = view.neighbors.neighbor(network: network, target)
        question = Question(
            target: target, owner: owner,
            place: owner.flatMap { view.known($0.mac, network)?.location })
    }

    /// Where the verdict takes it.
    fileprivate mutating func carryOut(
        _ frame: UnsafeMutableRawPointer, from port: UInt16?, wireLength: Int,
        _ view: borrowing ForwardingView
    ) {
        switch verdict {
        case .deliver(let port): legs = [Leg(.port(port))]
        case .send(let peer): legs = [leg(toPeer: peer, wireLength, view)]
        case .flood:
            flood(from: port, wireLength: wireLength, view)
            if legs.isEmpty { verdict = .drop(.nobodyToFlood) }
        case .reply(let length):
            reply = Array(UnsafeRawBufferPointer(start: frame, count: Int(length)))
        case .drop: break
        }
    }

    /// From a port to other ports and to peers, from a peer to ports only.
    private mutating func flood(
        from port: UInt16?, wireLength: Int, _ view: borrowing ForwardingView
    ) {
        guard let network else { return }
        let topology = view.topology
        let entry = topology.network(network)
        for i in 0..<Int(entry.pointee.ports.count) {
            let member = topology.member(entry.pointee.ports, i)
            guard member != port, topology.floods(to: member, isGroup: destination.isMulticast)
            else { continue }
            legs.append(Leg(.port(member)))
        }
        guard port != nil else { return }
        for i in 0..<Int(entry.pointee.peers.count) {
            legs.append(leg(toPeer: topology.member(entry.pointee.peers, i), wireLength, view))
        }
    }

    private func leg(
        toPeer peer: UInt16, _ wireLength: Int, _ view: borrowing ForwardingView
    ) -> Leg {
        var leg = Leg(.peer(peer))
        guard let network else { return leg }
        leg.limit = Egress.maximumFrame(
            view.topology.network(network), peer: peer, tags: layout?.tags ?? 0, view.topology)
        if wireLength > leg.limit { leg.drop = .tooBig }
        return leg
    }
}

extension ForwardingView {
    fileprivate func known(_ mac: MACAddress, _ network: UInt16) -> TracedFrame.Known? {
        endpoints.lookup(EndpointKey(network: network, mac: mac))
            .map { TracedFrame.Known($0, now: now) }
    }
}
