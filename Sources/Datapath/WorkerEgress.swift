import Forwarding
import Glibc
import Ports
import Uring
import Wire

/// A frame from a port, with what was read of its headers.
struct PortFrame {
    var bytes: UnsafeMutableRawPointer
    var length: Int
    var virtio: VirtioHeader
    var layout: FrameLayout
    /// Frames on the wire that it stands for.
    var frames: Int
    /// Bytes of those.
    var wireBytes: Int
    var port: UInt16
    var network: UInt16

    @inline(__always)
    var passage: Passage { .from(port: port, frame: bytes, length: length) }
}

extension Worker {
    /// A completed read of a port's queue.
    mutating func fromPort(_ tag: RequestTag, _ completion: Completion) {
        let hasBuffer =
            completion.hasBuffer
            && portBuffers.take(completion.bufferID, bytes: completion.result)
        if completion.result == -ENOBUFS { portBuffers.grow() }
        let isCurrent = deliverer.noteRead(tag, isOver: !completion.more, result: completion.result)
        guard isCurrent else { return }
        if !completion.more { receives.portsNeedArming = true }
        let port = UInt16(truncatingIfNeeded: tag.index)
        guard completion.result > 0, hasBuffer else {
            readFailed(-completion.result, port)
            return
        }
        let buffer = portBuffers.address(of: completion.bufferID)
        switch deliverer.ports[tag.index].reading {
        case .file:
            forward(buffer, length: Int(completion.result), port)
        case .packetSocket:
            guard let (start, length) = receives.packet(buffer, completion.result) else {
                return readFailed(EMSGSIZE, port)
            }
            forward(start, length: length, port)
        }
    }

    /// A read that gave no frame. Some errors stand for a frame that the kernel threw away: a
    /// packet socket gives EINVAL for a superframe that no virtio header can describe.
    private func readFailed(_ error: Int32, _ port: UInt16) {
        if WorkerPort.meansNoInterface(error) { tables.report(.portParked) }
        guard error > 0, !WorkerPort.meansNoFrame(error) else { return }
        count(from: port, frames: 1, bytes: 0)
        let nothing = Passage.from(port: port, frame: nil, length: 0)
        if out.captures.seesPorts { out.captures.show(nothing, out.view.topology) }
        drop(.malformedOffload, 1, port, nothing)
    }

    /// A virtio header and a frame: parse, decide, carry out.
    private mutating func forward(
        _ start: UnsafeMutableRawPointer, length: Int, _ port: UInt16
    ) {
        let headerLength = Int(deliverer.ports[Int(port)].headerLength)
        let bytes = start + headerLength
        let length = length &- headerLength
        let passage = Passage.from(port: port, frame: bytes, length: max(0, length))
        if out.captures.seesPorts { out.captures.show(passage, out.view.topology) }
        guard length >= 0, let layout = FrameLayout.parse(bytes, length: length) else {
            count(from: port, frames: 1, bytes: max(0, length))
            return drop(.runtFrame, 1, port, passage)
        }
        var frame = PortFrame(
            bytes: bytes, length: length, virtio: VirtioHeader(at: start), layout: layout,
            frames: 1, wireBytes: length, port: port,
            network: out.view.topology.port(port).pointee.network)
        if frame.virtio.isSuperframe {
            forwardSuperframe(&frame)
            return
        }
        count(from: port, frames: 1, bytes: length)
        if isOverLimit(frame) { return }
        let verdict = Egress.decide(
            bytes, length: length, wireLength: length, layout: layout, port: port, out.view)
        carryOut(verdict, frame, plan: nil)
    }

    private mutating func forwardSuperframe(_ frame: inout PortFrame) {
        guard let plan = try? SegmentPlan.make(frame.bytes, frame.layout, frame.virtio),
            plan.count <= TurnMemory.segmentLimit
        else {
            count(from: frame.port, frames: 1, bytes: frame.length)
            return drop(.malformedOffload, 1, frame.port, frame.passage)
        }
        frame.frames = plan.count
        frame.wireBytes = plan.wireBytes
        count(from: frame.port, frames: plan.count, bytes: frame.length)
        if isOverLimit(frame) { return }
        let verdict = Egress.decide(
            frame.bytes, length: frame.length, wireLength: plan.longestFrame,
            layout: frame.layout, port: frame.port, out.view)
        carryOut(verdict, frame, plan: plan)
    }

    /// Whether a frame is more than its port's limit lets pass, in which case it ends here: before
    /// anything is looked up or learned for it.
    @inline(__always)
    private func isOverLimit(_ frame: PortFrame) -> Bool {
        guard let limiter = out.view.topology.port(frame.port).pointee.fromVM else { return false }
        let reason = limiter.pointee.refuses(
            bytes: frame.wireBytes, frames: frame.frames, nanoseconds: WorkerTables.nanoseconds())
        guard let reason else { return false }
        out.view.counters.addPort(frame.port, .overLimitFromVM, frame.frames)
        drop(reason, frame)
        return true
    }

    private mutating func carryOut(_ verdict: Verdict, _ frame: PortFrame, plan: SegmentPlan?) {
        switch verdict {
        case .deliver(let port):
            // The superframe and its virtio header pass straight through. A checksum that is to
            // be completed later must not be one that completing would put into an address.
            guard
                plan != nil
                    || Checksum.canComplete(frame.length, frame.layout, frame.virtio)
            else { return drop(.malformedOffload, frame) }
            deliverer.deliver(
                frame.bytes, length: frame.length, frame.virtio, frames: frame.frames,
                wireBytes: frame.wireBytes, to: port, isCopy: false, &out)
        case .send(let peer):
            send(frame, plan, to: peer)
        case .flood:
            flood(frame, plan)
        case .reply(let length):
            out.view.counters.add(.answered, frame.frames)
            out.view.counters.add(.copies)
            deliverer.deliver(
                frame.bytes, length: Int(length), VirtioHeader(), frames: 1,
                wireBytes: Int(length), to: frame.port, isCopy: true, &out)
        case .drop(let reason):
            drop(reason, frame)
        }
    }

    private mutating func send(_ frame: PortFrame, _ plan: SegmentPlan?, to peer: UInt16) {
        guard plan != nil || completeChecksum(frame) else {
            return drop(.malformedOffload, frame)
        }
        encapsulate(frame, plan, to: peer, isCopy: false)
    }

    /// Head-end replication: a copy to every other local port and to every peer that has the
    /// network.
    private mutating func flood(_ frame: PortFrame, _ plan: SegmentPlan?) {
        var frame = frame
        guard plan != nil || completeChecksum(frame) else {
            return drop(.malformedOffload, frame)
        }
        if plan == nil { frame.virtio = VirtioHeader() }
        let topology = out.view.topology
        let network = topology.network(frame.network)
        let ports = network.pointee.ports
        let peers = network.pointee.peers
        let isGroup = MACAddress(at: frame.bytes).isMulticast
        var copies = 0
        for i in 0..<Int(ports.count) {
            let port = topology.member(ports, i)
            guard port != frame.port, topology.floods(to: port, isGroup: isGroup) else { continue }
            copies &+= 1
            deliverer.deliver(
                frame.bytes, length: frame.length, frame.virtio, frames: frame.frames,
                wireBytes: frame.wireBytes, to: port, isCopy: true, &out)
        }
        for i in 0..<Int(peers.count) {
            let peer = topology.member(peers, i)
            copies &+= 1
            let limit = Egress.maximumFrame(
                network, peer: peer, tags: frame.layout.tags, topology)
            if (plan?.longestFrame ?? frame.length) > limit {
                out.drop(
                    .tooBig, frames: frame.frames, isCopy: true, peer: peer,
                    network: frame.network, frame.passage)
            } else {
                encapsulate(frame, plan, to: peer, isCopy: true)
            }
        }
        guard copies > 0 else { return drop(.nobodyToFlood, frame) }
        out.view.counters.add(.flooded, frame.frames)
        out.view.counters.add(.copies, copies &* frame.frames)
    }

    private mutating func encapsulate(
        _ frame: PortFrame, _ plan: SegmentPlan?, to peer: UInt16, isCopy: Bool
    ) {
        let vxlan = VXLAN.header(vni: out.view.topology.network(frame.network).pointee.vni)
        let hash = FlowHash.of(frame.bytes, frame.layout)
        let tos = ECN.encapsulate(frame.bytes, frame.layout)
        if let plan {
            transmitter.send(
                plan, vxlan: vxlan, peer: peer, hash: hash, tos: tos, isCopy: isCopy,
                frame.passage, &out)
            return
        }
        // The VXLAN header takes the place of the end of the virtio header, which has been read:
        // a small frame is sent from where it lies.
        let datagram = frame.bytes - VXLAN.headerLength
        datagram.store64(vxlan, 0)
        transmitter.send(
            datagram, length: frame.length &+ VXLAN.headerLength, peer: peer, hash: hash,
            tos: tos, isCopy: isCopy, &out)
    }

    /// On the wire a checksum is whole. False if the virtio header lies about where it is.
    @inline(__always)
    private func completeChecksum(_ frame: PortFrame) -> Bool {
        !frame.virtio.needsChecksum
            || Checksum.complete(frame.bytes, frame.length, frame.layout, frame.virtio)
    }

    @inline(__always)
    private func count(from port: UInt16, frames: Int, bytes: Int) {
        out.view.counters.add(.fromPorts, frames)
        out.view.counters.addPort(port, .receivedFrames, frames)
        out.view.counters.addPort(port, .receivedBytes, bytes)
    }

    @inline(__always)
    private func drop(_ reason: Drop, _ frame: PortFrame) {
        drop(reason, frame.frames, frame.port, frame.passage)
    }

    @inline(__always)
    private func drop(_ reason: Drop, _ frames: Int, _ port: UInt16, _ passage: Passage) {
        out.drop(reason, frames: frames, isCopy: false, port: port, passage)
    }
}
