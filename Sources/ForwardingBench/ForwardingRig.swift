// A host's tables, filled, and a worker's view of them: forwarding with everything but I/O.

import Forwarding
import Glibc
import TestFrames
package import Wire

/// One network with a port, 64 peers, and as many endpoints behind the peers as wanted.
package final class ForwardingRig {
    /// Peers, with the endpoints spread over them evenly.
    package static let peerCount = 64
    private static let vni: UInt32 = 100
    /// The station at the port: the one that FrameBuilder's frames are from.
    package static let station = FrameBuilder.ipv4.sourceMAC

    let keeper: TableKeeper
    private let queue: LearningQueue
    private let reader: Reader
    private let counters = Counters(portCapacity: 1, peerCapacity: ForwardingRig.peerCount)
    /// Endpoints behind peers: a power of two is drawn from evenly, others nearly so.
    package let endpointCount: Int
    private var draws = SeededGenerator(seed: 1)
    private var coalescer = Coalescer(capacity: 256)
    private let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: Coalescer.frameLimit)
    /// What egress makes for outer headers, so that it is made.
    private var outerHeaders: UInt64 = 0

    /// Fills the tables. The port checks sources and the network learns, as they do by default.
    package init(endpoints: Int) {
        endpointCount = endpoints
        keeper = TableKeeper(endpointLimit: max(1 << 20, endpoints + 1))
        (queue, reader) = keeper.addWorker()
        var description = TopologyDescription()
        description.networks = [.init(vni: Self.vni)]
        var port = TopologyDescription.Port(network: 0)
        port.macs = [Self.station]
        port.addresses = [FrameBuilder.ipv4.source]
        port.takesUDPSuperframes = true
        description.ports = [port]
        description.peers = (0..<Self.peerCount).map { index in
            .init(address: .v4(IPv4Address(bits: 0xac10_0001 + UInt32(index))), networks: [0])
        }
        keeper.publish(description)
        keeper.fix(
            network: 0, mac: Self.station, addresses: [FrameBuilder.ipv4.source], at: .port(0))
        for index in 0..<endpoints {
            keeper.endpoints.set(
                EndpointKey(network: 0, mac: Self.mac(index)),
                .peer(UInt16(index % Self.peerCount)), seen: Self.now)
        }
    }

    deinit {
        queue.deallocate()
        counters.deallocate()
        vectors.deallocate()
    }

    /// Seconds of the tables' clock: nothing ages.
    static let now: UInt32 = 1000

    /// The MAC of an endpoint behind a peer. Consecutive, as clouds give them out.
    @inline(__always)
    static func mac(_ index: Int) -> MACAddress {
        MACAddress(bits: 0x0200_0a00_0000 &+ UInt64(truncatingIfNeeded: index))
    }

    /// The tables as a worker sees them in one turn.
    @inline(__always)
    private var view: ForwardingView {
        reader.quiescent()
        return ForwardingView(
            topology: keeper.topology.view, endpoints: keeper.endpoints.view,
            neighbors: keeper.neighbors.view, counters: counters, learning: queue, now: Self.now)
    }

    /// Addresses each frame of a batch to another endpoint, drawn from all; or, for ingress, has
    /// it come from one, drawn from those behind the first peer.
    package func draw(_ batch: borrowing FrameBatch) {
        let perPeer = max(1, endpointCount / Self.peerCount)
        for index in 0..<batch.frames.count {
            let frame = batch.frames[index]
            if batch.isIngress {
                let drawn = draws.below(perPeer) * Self.peerCount
                Self.mac(drawn).store(at: frame + Ethernet.source)
            } else {
                Self.mac(draws.below(endpointCount)).store(at: frame + Ethernet.destination)
            }
        }
        batch.frames.keep()
    }
}

/// Frames of one length and direction for a rig; `draw` gives them their endpoints.
package struct FrameBatch: ~Copyable {
    let frames: FrameMemory
    let isIngress: Bool

    /// `frames` are as FrameBuilder makes them.
    init(_ frames: [[UInt8]], isIngress: Bool) {
        self.frames = FrameMemory(frames)
        self.isIngress = isIngress
        guard isIngress else { return }
        for index in 0..<self.frames.count {
            let frame = self.frames[index]
            ForwardingRig.station.store(at: frame + Ethernet.destination)
            (frame - VXLAN.headerLength).store64(VXLAN.header(vni: 100), 0)
        }
    }

    /// 64-byte UDP frames of as many flows, from the rig's port.
    package static func smallEgress(_ count: Int) -> FrameBatch {
        FrameBatch(Conversation.small(count), isIngress: false)
    }

    /// 64-byte UDP frames of as many flows, to the rig's port.
    package static func smallIngress(_ count: Int) -> FrameBatch {
        FrameBatch(Conversation.small(count), isIngress: true)
    }

    /// Full-sized segments of one TCP stream, to the rig's port.
    package static func streamIngress(_ count: Int) -> FrameBatch {
        FrameBatch(Conversation.segments(count), isIngress: true)
    }
}

extension ForwardingRig {
    /// `Egress.decide` for each frame of a batch that has been parsed, and nothing else. How many
    /// are to go to a peer.
    package func decide(_ batch: borrowing FrameBatch) -> Int {
        guard let layout = FrameLayout.parse(batch.frames[0], length: batch.frames.length)
        else { return 0 }
        let view = view
        let length = batch.frames.length
        var sent = 0
        for index in 0..<batch.frames.count {
            let verdict = Egress.decide(
                batch.frames[index], length: length, wireLength: length, layout: layout, port: 0,
                view)
            if case .send = verdict { sent &+= 1 }
        }
        return sent
    }

    /// What a worker does with frames from a port, but for I/O: fetch ahead, parse, count, decide,
    /// VXLAN header, flow hash and congestion mark of the outer header. How many are to go to a
    /// peer.
    package func egress(_ batch: borrowing FrameBatch) -> Int {
        let view = view
        let length = batch.frames.length
        var sent = 0
        var outer: UInt64 = 0
        for index in 0..<batch.frames.count {
            let ahead = index &+ Egress.prefetchDistance
            if ahead < batch.frames.count {
                Egress.prefetch(batch.frames[ahead], port: 0, view)
            }
            let frame = batch.frames[index]
            guard let layout = FrameLayout.parse(frame, length: length) else { continue }
            view.counters.add(.fromPorts)
            view.counters.addPort(0, .receivedFrames, 1)
            view.counters.addPort(0, .receivedBytes, length)
            let verdict = Egress.decide(
                frame, length: length, wireLength: length, layout: layout, port: 0, view)
            guard case .send(let peer) = verdict else { continue }
            (frame - VXLAN.headerLength).store64(
                VXLAN.header(vni: view.topology.network(0).pointee.vni), 0)
            outer ^=
                UInt64(FlowHash.of(frame, layout)) << 8
                | UInt64(ECN.encapsulate(frame, layout))
            view.counters.add(.sent)
            view.counters.addPeer(peer, .sentFrames, 1)
            view.counters.addPeer(peer, .sentBytes, length)
            sent &+= 1
        }
        outerHeaders = outer
        return sent
    }

    /// What a worker does with datagrams from a peer, but for I/O: admit, parse, count, decide,
    /// coalesce, and read out what is to be delivered. How many frames that is.
    package func ingress(_ batch: borrowing FrameBatch) -> Int {
        let view = view
        let length = batch.frames.length
        for index in 0..<batch.frames.count {
            let frame = batch.frames[index]
            view.counters.add(.fromUnderlay)
            view.counters.addPeer(0, .receivedFrames, 1)
            view.counters.addPeer(0, .receivedBytes, length)
            let admission = Ingress.admit(
                frame - VXLAN.headerLength, length: length &+ VXLAN.headerLength, peer: 0, view)
            guard case .network(let network) = admission,
                let layout = FrameLayout.parse(frame, length: length),
                case .deliver(let port) = Ingress.decide(
                    frame, layout: layout, outerTOS: 0, peer: 0, network: network, view)
            else { continue }
            _ = coalescer.add(
                frame, length: length, layout: layout, port: UInt32(port),
                takesUDPSuperframes: view.topology.port(port).pointee.takesUDPSuperframes)
        }
        let delivered = coalescer.readOut(into: vectors, restoring: batch.frames)
        view.counters.add(.delivered, delivered)
        return delivered
    }
}

extension Coalescer {
    /// Reads out all items, as a worker does to deliver them, and forgets them. How many frames
    /// they stand for. Frames whose headers were patched become what they were.
    mutating func readOut(
        into vectors: UnsafeMutablePointer<iovec>, restoring memory: borrowing FrameMemory
    ) -> Int {
        var frames = 0
        for index in 0..<itemCount {
            let count = self.vectors(of: index, into: vectors)
            frames &+= item(index).frames
            if count > 1 { memory.restore(vectors[0].iov_base) }
        }
        reset()
        return frames
    }
}
