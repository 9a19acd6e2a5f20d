import Forwarding
import Glibc
import Uring
import Wire

extension Worker {
    /// A completed receive from the underlay: a datagram, or a train of equal ones.
    mutating func fromUnderlay(_ completion: Completion) {
        let hasBuffer =
            completion.hasBuffer
            && underlayBuffers.take(completion.bufferID, bytes: completion.result)
        if completion.result == -ENOBUFS { underlayBuffers.grow() }
        if !completion.more { receives.underlayNeedsArming = true }
        guard completion.result >= 0, hasBuffer,
            let train = receives.train(
                underlayBuffers.address(of: completion.bufferID), completion.result)
        else { return }
        let counters = out.view.counters
        let size = train.datagramLength
        let frames = train.length == 0 ? 1 : (train.length &+ size &- 1) / size
        counters.add(.messagesReceived)
        counters.add(.fromUnderlay, frames)
        guard !train.isTruncated else { return counters.drop(.truncatedDatagram, frames: frames) }
        guard let peer = out.view.topology.peer(at: train.source) else {
            return counters.drop(.unknownPeer, frames: frames)
        }
        counters.addPeer(peer, .receivedFrames, frames)
        counters.addPeer(
            peer, .receivedBytes, max(0, train.length &- frames &* VXLAN.headerLength))
        var offset = 0
        repeat {
            let length = min(size, train.length &- offset)
            decapsulate(train.bytes + offset, length: length, tos: train.tos, peer)
            offset &+= size
        } while offset < train.length
    }

    /// One datagram: admit, parse, decide, carry out.
    private mutating func decapsulate(
        _ datagram: UnsafeMutableRawPointer, length: Int, tos: UInt8, _ peer: UInt16
    ) {
        let network: UInt16
        switch Ingress.admit(datagram, length: length, peer: peer, out.view) {
        case .network(let index): network = index
        case .drop(let reason): return drop(reason, peer)
        }
        let frame = datagram + VXLAN.headerLength
        let length = length &- VXLAN.headerLength
        guard let layout = FrameLayout.parse(frame, length: length) else {
            return drop(.runtFrame, peer, network)
        }
        let verdict = Ingress.decide(
            frame, layout: layout, outerTOS: tos, peer: peer, network: network, out.view)
        switch verdict {
        case .deliver(let port): deliver(frame, length, layout, to: port)
        case .flood: floodLocally(frame, length, network, peer)
        case .drop(let reason): drop(reason, peer, network)
        // Nothing from the underlay is sent on into it or answered.
        case .send, .reply: drop(.splitHorizon, peer, network)
        }
    }

    /// To a port, through the coalescer: it leaves at the end of the turn.
    private mutating func deliver(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ layout: FrameLayout, to port: UInt16
    ) {
        guard settings.coalesces else {
            deliverer.deliver(
                frame, length: length, VirtioHeader(), frames: 1, wireBytes: length, to: port,
                isCopy: false, &out)
            return
        }
        let takesUDP = out.view.topology.port(port).pointee.takesUDPSuperframes
        while !coalescer.add(
            frame, length: length, layout: layout, port: UInt32(port),
            takesUDPSuperframes: takesUDP)
        {
            deliverCoalesced()
        }
    }

    /// Writes what the coalescer holds to the ports, in the order in which it came.
    mutating func deliverCoalesced() {
        guard settings.coalesces else { return }
        for index in 0..<coalescer.itemCount { deliverer.deliver(index, of: &coalescer, &out) }
        coalescer.reset()
    }

    /// To every port of the network on this host; never back into a tunnel.
    private mutating func floodLocally(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ network: UInt16, _ peer: UInt16
    ) {
        let topology = out.view.topology
        let ports = topology.network(network).pointee.ports
        let isGroup = MACAddress(at: frame).isMulticast
        // Frames of the same flow that came before may wait in the coalescer.
        deliverCoalesced()
        var copies = 0
        for i in 0..<Int(ports.count) {
            let port = topology.member(ports, i)
            guard topology.floods(to: port, isGroup: isGroup) else { continue }
            copies &+= 1
            deliverer.deliver(
                frame, length: length, VirtioHeader(), frames: 1, wireBytes: length, to: port,
                isCopy: true, &out)
        }
        guard copies > 0 else { return drop(.nobodyToFlood, peer, network) }
        out.view.counters.add(.flooded)
        out.view.counters.add(.copies, copies)
    }

    @inline(__always)
    private func drop(_ reason: Drop, _ peer: UInt16, _ network: UInt16? = nil) {
        out.view.counters.drop(reason, frames: 1, peer: peer, network: network)
    }
}
