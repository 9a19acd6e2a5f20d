import Forwarding
import TestFrames
import Testing
import Wire

/// Where one event made copies of a frame go.
struct Outcome: Equatable, CustomStringConvertible {
    /// Ports of this host, whether or not they had room.
    var ports: Set<Int> = []
    /// Hosts, by number.
    var hosts: Set<Int> = []
    /// Answered on the spot.
    var isAnswered = false

    var description: String {
        "ports \(ports.sorted()) hosts \(hosts.sorted())\(isAnswered ? " answered" : "")"
    }
}

/// A host of the fabric: the daemon without its system calls. It carries verdicts out and counts
/// as a worker does.
final class FabricHost {
    let number: Int
    let counters: Counters
    /// Sends a datagram to another host: its number and the bytes from the VXLAN header on.
    var send: (_ to: Int, _ datagram: [UInt8]) -> Void = { _, _ in }
    /// Hands a frame to a port. False if the port has no room.
    var deliver: (_ port: Int, _ frame: [UInt8], _ isReply: Bool) -> Bool = { _, _, _ in true }
    /// Hosts by peer index.
    let peers: [Int]

    let keeper = TableKeeper()
    private let queue: LearningQueue
    private let reader: Reader
    private let vnis: [UInt32]
    private var now: UInt32 = 1
    /// Big enough for every test frame, with room in front for the VXLAN header.
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 64)
    private var outcome = Outcome()

    init(number: Int, peers: [Int], _ description: TopologyDescription) {
        self.number = number
        self.peers = peers
        counters = Counters(
            portCapacity: description.ports.count, peerCapacity: description.peers.count)
        (queue, reader) = keeper.addWorker()
        vnis = description.networks.compactMap { $0?.vni }
        keeper.publish(description)
    }

    deinit {
        memory.deallocate()
        counters.deallocate()
        queue.deallocate()
    }

    /// The underlay address of a host.
    static func address(_ number: Int) -> IPAddress {
        .v4(IPv4Address(bits: 0xac10_0000 + UInt32(number)))
    }

    // MARK: From a port

    func fromPort(_ frame: [UInt8], port: Int) -> Outcome {
        turn { view in
            view.counters.add(.fromPorts)
            let start = place(frame)
            guard let layout = FrameLayout.parse(start, length: frame.count) else {
                return view.counters.drop(.runtFrame)
            }
            let verdict = Egress.decide(
                start, length: frame.count, wireLength: frame.count, layout: layout,
                port: UInt16(port), view)
            carryOut(verdict, start, frame.count, port, view)
        }
    }

    private func carryOut(
        _ verdict: Verdict, _ frame: UnsafeMutableRawPointer, _ length: Int, _ port: Int,
        _ view: borrowing ForwardingView
    ) {
        switch verdict {
        case .deliver(let to): write(frame, length, Int(to), isCopy: false, view)
        case .send(let peer):
            encapsulate(frame, length, Int(peer), from: port, view)
            view.counters.add(.sent)
        case .flood: flood(frame, length, from: port, view)
        case .reply(let length):
            view.counters.add(.answered)
            view.counters.add(.copies)
            outcome.isAnswered = true
            if deliver(port, bytes(frame, Int(length)), true) {
                view.counters.add(.copiesDelivered)
            } else {
                view.counters.dropCopy(.portFull)
            }
        case .drop(let reason): view.counters.drop(reason)
        }
    }

    private func flood(
        _ frame: UnsafeMutableRawPointer, _ length: Int, from port: Int,
        _ view: borrowing ForwardingView
    ) {
        let topology = view.topology
        let network = topology.network(topology.port(UInt16(port)).pointee.network)
        let ports = network.pointee.ports
        let peers = network.pointee.peers
        guard ports.count + peers.count > 1 else { return view.counters.drop(.nobodyToFlood) }
        view.counters.add(.flooded)
        copyToPorts(frame, length, ports, except: port, view)
        for i in 0..<Int(peers.count) {
            view.counters.add(.copies)
            view.counters.add(.copiesSent)
            encapsulate(frame, length, Int(topology.member(peers, i)), from: port, view)
        }
    }

    private func encapsulate(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ peer: Int, from port: Int,
        _ view: borrowing ForwardingView
    ) {
        let network = view.topology.port(UInt16(port)).pointee.network
        (frame - VXLAN.headerLength).store64(VXLAN.header(vni: vnis[Int(network)]), 0)
        outcome.hosts.insert(peers[peer])
        send(peers[peer], bytes(frame - VXLAN.headerLength, length + VXLAN.headerLength))
    }

    // MARK: From the underlay

    func fromUnderlay(_ datagram: [UInt8], from source: IPAddress) -> Outcome {
        turn { view in
            view.counters.add(.fromUnderlay)
            guard let peer = view.topology.peer(at: source.mapped) else {
                return view.counters.drop(.unknownPeer)
            }
            let start = place(datagram)
            let admission = Ingress.admit(start, length: datagram.count, peer: peer, view)
            guard case .network(let network) = admission else {
                if case .drop(let reason) = admission { view.counters.drop(reason) }
                return
            }
            let frame = start + VXLAN.headerLength
            let length = datagram.count - VXLAN.headerLength
            guard let layout = FrameLayout.parse(frame, length: length) else {
                return view.counters.drop(.runtFrame)
            }
            let verdict = Ingress.decide(
                frame, layout: layout, outerTOS: 0, peer: peer, network: network, view)
            carryOut(verdict, frame, length, network: network, view)
        }
    }

    private func carryOut(
        _ verdict: Verdict, _ frame: UnsafeMutableRawPointer, _ length: Int, network: UInt16,
        _ view: borrowing ForwardingView
    ) {
        switch verdict {
        case .deliver(let port): write(frame, length, Int(port), isCopy: false, view)
        case .flood:
            let ports = view.topology.network(network).pointee.ports
            guard ports.count > 0 else { return view.counters.drop(.nobodyToFlood) }
            view.counters.add(.flooded)
            copyToPorts(frame, length, ports, except: nil, view)
        case .drop(let reason): view.counters.drop(reason)
        case .send, .reply: Issue.record("\(verdict) for a frame from a tunnel")
        }
    }

    // MARK: Traces

    /// What a trace says would become of a frame from a port.
    func trace(_ frame: [UInt8], port: Int) -> Outcome {
        outcome(
            Tracer.fromPort(
                frame, VirtioHeader(), port: UInt16(port),
                Tracer.Limits(frames: 1400, messageBytes: 65507), keeper, now: now + 1))
    }

    /// What a trace says would become of a datagram.
    func trace(_ datagram: [UInt8], from source: IPAddress) -> Outcome {
        outcome(Tracer.fromUnderlay(datagram, from: source, keeper, now: now + 1))
    }

    private func outcome(_ traced: TracedFrame) -> Outcome {
        var outcome = Outcome()
        for leg in traced.legs where leg.drop == nil {
            let index = Int(leg.place.index)
            if leg.place.isPort {
                outcome.ports.insert(index)
            } else {
                outcome.hosts.insert(peers[index])
            }
        }
        outcome.isAnswered = traced.reply != nil
        return outcome
    }

    // MARK: Both

    private func copyToPorts(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ ports: TableSpan, except: Int?,
        _ view: borrowing ForwardingView
    ) {
        let isForAll = MACAddress(at: frame).isMulticast
        for i in 0..<Int(ports.count) {
            let port = view.topology.member(ports, i)
            guard Int(port) != except,
                isForAll || view.topology.port(port).pointee.floodsUnknown
            else { continue }
            view.counters.add(.copies)
            write(frame, length, Int(port), isCopy: true, view)
        }
    }

    private func write(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ port: Int, isCopy: Bool,
        _ view: borrowing ForwardingView
    ) {
        outcome.ports.insert(port)
        let hadRoom = deliver(port, bytes(frame, length), false)
        switch (hadRoom, isCopy) {
        case (true, false): view.counters.add(.delivered)
        case (true, true): view.counters.add(.copiesDelivered)
        case (false, false): view.counters.drop(.portFull)
        case (false, true): view.counters.dropCopy(.portFull)
        }
    }

    /// One turn of the worker's loop with one frame in it, then one of the keeper's.
    private func turn(_ body: (borrowing ForwardingView) -> Void) -> Outcome {
        // Each event in a second of its own: a source that moves to and fro within one is
        // followed in the next only.
        now += 1
        outcome = Outcome()
        reader.quiescent()
        body(
            ForwardingView(
                topology: keeper.topology.view, endpoints: keeper.endpoints.view,
                neighbors: keeper.neighbors.view, counters: counters, learning: queue, now: now))
        keeper.applySightings(now: now)
        return outcome
    }

    private func place(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
        let start = memory + 64
        bytes.withUnsafeBytes {
            if let from = $0.baseAddress { start.copyMemory(from: from, byteCount: $0.count) }
        }
        return start
    }

    private func bytes(_ start: UnsafeMutableRawPointer, _ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// The two equations that hold at any time (Counters).
    var booksBalance: Bool {
        let framesIn = counters.read(.fromPorts) + counters.read(.fromUnderlay)
        let drops = Drop.allCases.reduce(0) { $0 + counters.read(drop: $1) }
        let copyDrops = Drop.allCases.reduce(0) { $0 + counters.read(copyDrop: $1) }
        return framesIn
            == counters.read(.delivered) + counters.read(.sent) + counters.read(.answered)
            + counters.read(.flooded) + drops
            && counters.read(.copies)
                == counters.read(.copiesDelivered) + counters.read(.copiesSent) + copyDrops
    }
}
