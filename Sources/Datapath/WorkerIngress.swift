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
        if out.captures.seesUnderlay { show(train, nil) }
        guard !train.isTruncated else {
            counters.drop(.truncatedDatagram, frames: frames)
            if out.captures.seesDrops { show(train, .truncatedDatagram) }
            return
        }
        guard let peer = out.view.topology.peer(at: train.source) else {
            counters.drop(.unknownPeer, frames: frames)
            if out.captures.seesDrops { show(train, .unknownPeer) }
            return
        }
        counters.addPeer(peer, .receivedFrames, frames)
        counters.addPeer(
            peer, .receivedBytes, max(0, train.length &- frames &* VXLAN.headerLength))
        var offset = 0
        repeat {
            decapsulate(train.datagram(at: offset), peer)
            offset &+= size
        } while offset < train.length
    }

    /// Shows the datagrams of a train to the captures.
    private func show(_ train: UnderlayTrain, _ reason: Drop?) {
        var offset = 0
        repeat {
            out.captures.show(
                .received(train.datagram(at: offset)), reason: reason, out.view.topology)
            offset &+= train.datagramLength
        } while offset < train.length
    }

    /// One datagram: admit, parse, decide, carry out.
    private mutating func decapsulate(_ datagram: UnderlayDatagram, _ peer: UInt16) {
        let network: UInt16
        switch Ingress.admit(datagram.bytes, length: datagram.length, peer: peer, out.view) {
        case .network(let index): network = index
        case .drop(let reason): return drop(reason, peer, datagram)
        }
        let frame = datagram.bytes + VXLAN.headerLength
        let length = datagram.length &- VXLAN.headerLength
        guard let layout = FrameLayout.parse(frame, length: length) else {
            return drop(.runtFrame, peer, network: network, datagram)
        }
        let verdict = Ingress.decide(
            frame, layout: layout, outerTOS: datagram.tos, peer: peer, network: network, out.view)
        switch verdict {
        case .deliver(let port): deliver(frame, length, layout, to: port)
        case .flood:
            if !floodLocally(frame, length, network) {
                drop(.nobodyToFlood, peer, network: network, datagram)
            }
        case .drop(let reason): drop(reason, peer, network: network, datagram)
        // Nothing from the underlay is sent on into it or answered.
        case .send, .reply: drop(.splitHorizon, peer, network: network, datagram)
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

    /// To every port of the network on this host; never back into a tunnel. False if there is no
    /// such port.
    private mutating func floodLocally(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ network: UInt16
    ) -> Bool {
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
        guard copies > 0 else { return false }
        out.view.counters.add(.flooded)
        out.view.counters.add(.copies, copies)
        return true
    }

    @inline(__always)
    private func drop(
        _ reason: Drop, _ peer: UInt16, network: UInt16? = nil, _ datagram: UnderlayDatagram
    ) {
        out.drop(
            reason, frames: 1, isCopy: false, peer: peer, network: network, .received(datagram))
    }
}
