// A trace: what the workers would do with a frame, told step by step. Forwarding decides
// (Tracer); here it gets its names and reasons. Nothing is sent, learned or counted.

import Catalog
public import ControlAPI
import Forwarding
import Ports
import Wire

extension Datapath {
    /// What would become of a frame.
    /// - Throws: `TraceError` if the request makes no sense on this host.
    public func trace(_ request: TraceRequest) throws(TraceError) -> TraceReply {
        let keeper = keeper
        return try keeper.perform { keeper.trace(request) }.get()
    }
}

extension Keeper {
    /// What would become of a frame. On the keeper's thread.
    func trace(_ request: TraceRequest) -> Result<TraceReply, TraceError> {
        do throws(TraceError) {
            let subject = try subject(of: request)
            let now = WorkerTables.seconds()
            let traced =
                switch subject.origin {
                case .port(let row):
                    Tracer.fromPort(
                        subject.bytes, subject.virtio, port: UInt16(row),
                        Tracer.Limits(
                            frames: TurnMemory.segmentLimit,
                            messageBytes: Transmitter.messageLimit),
                        tables, now: now)
                case .underlay(let address):
                    Tracer.fromUnderlay(subject.bytes, from: address, tables, now: now)
                }
            return .success(TraceNarrator(keeper: self, subject: subject, traced: traced).reply)
        } catch {
            return .failure(error)
        }
    }
}

/// Tells what a trace has found. The verdict says how far the frame got: what was decided before it
/// has passed, what comes after it was not reached.
struct TraceNarrator {
    let keeper: Keeper
    let subject: TraceSubject
    let traced: TracedFrame
    /// Copies that are told one by one; the others are in `destinations`.
    private static let toldCopies = 16
    /// Bytes of frames that are shown.
    private static let shownBytes = 2048

    var reply: TraceReply {
        let destinations = traced.legs.map(destination)
        let verdict = verdict(destinations)
        var steps = frameSteps + originSteps
        // What was not parsed was not looked at.
        if traced.layout != nil, traced.refusal == nil, !isEarlyDrop {
            steps += sourceSteps
            if !endsAtSource { steps += lookUpSteps + destinationSteps(destinations) }
        }
        steps.append(verdictStep(verdict, destinations))
        return TraceReply(
            verdict: verdict, steps: steps, destinations: destinations,
            frame: hexadecimal(subject.bytes.dropFirst(subject.frameOffset)),
            answer: traced.reply.map { hexadecimal($0[...]) })
    }

    var isFromPort: Bool {
        if case .port = subject.origin { true } else { false }
    }

    var drop: Drop? {
        if case .drop(let reason) = traced.verdict { reason } else { nil }
    }

    /// Before anybody looked into the frame, or because its offload header does not fit.
    private var isEarlyDrop: Bool {
        switch drop {
        case .portDown, .malformedOffload, .runtFrame: true
        default: false
        }
    }

    /// Its sender may not send it.
    private var endsAtSource: Bool {
        switch drop {
        case .invalidSourceMAC, .vlanNotAllowed, .spoofedMAC, .spoofedIP, .stolenMAC,
            .congestionMarked:
            true
        default: false
        }
    }

    // MARK: Its end

    private func verdict(_ destinations: [TraceDestination]) -> TraceVerdict {
        let arrives = destinations.contains { $0.drop == nil }
        switch traced.verdict {
        case .reply: return TraceVerdict(.answered)
        case .deliver where arrives: return TraceVerdict(.delivered)
        case .send where arrives: return TraceVerdict(.sent)
        case .flood where arrives: return TraceVerdict(.flooded)
        case .drop(let reason): return Self.dropped(reason)
        case .deliver, .send, .flood:
            // Wherever it goes it ends before it gets there.
            let name = destinations.compactMap(\.drop).first
            return Self.dropped(Drop.allCases.first { $0.name == name } ?? .nobodyToFlood)
        }
    }

    private static func dropped(_ reason: Drop) -> TraceVerdict {
        TraceVerdict(.dropped, reason: reason.name, description: reason.help)
    }

    private func verdictStep(
        _ verdict: TraceVerdict, _ destinations: [TraceDestination]
    ) -> TraceStep {
        let text =
            switch verdict.result {
            case .delivered: "delivered to \(name(destinations.first))"
            case .sent: "sent to \(name(destinations.first))"
            case .flooded:
                "flooded: \(destinations.count { $0.drop == nil }) of \(destinations.count) "
                    + "copies leave"
            case .answered: "answered; the frame itself goes no further"
            case .dropped: "dropped, \(verdict.reason ?? ""): \(verdict.description ?? "")"
            }
        return TraceStep(.verdict, text, drop: verdict.reason)
    }

    private func name(_ destination: TraceDestination?) -> String {
        if let port = destination?.port { return "port \(port)" }
        return "peer \(destination?.peer ?? "?")"
    }

    // MARK: Where it goes

    private func destinationSteps(_ destinations: [TraceDestination]) -> [TraceStep] {
        var steps: [TraceStep] = []
        for (destination, leg) in zip(destinations, traced.legs).prefix(Self.toldCopies) {
            steps.append(step(destination, leg))
        }
        let more = destinations.count - steps.count
        if more > 0 { steps.append(TraceStep(.flood, "and \(more) more copies, not told here")) }
        return steps
    }

    private func destination(_ leg: TracedFrame.Leg) -> TraceDestination {
        let row = Int(leg.place.index)
        guard leg.place.isPort else {
            return TraceDestination(
                peer: keeper.rows.peers[row]?.name, tunnel: tunnel(row, leg),
                drop: leg.drop?.name)
        }
        let link = keeper.ports[row].flatMap { try? $0.state() }
        // Frames for a device that is set down come back with an error.
        let drop = leg.drop ?? (link?.isUp == true ? nil : Drop.portDown)
        return TraceDestination(
            port: keeper.rows.ports[row]?.name,
            state: link.map { $0.isRunning ? .up : .down } ?? .missing, drop: drop?.name)
    }

    private func tunnel(_ row: Int, _ leg: TracedFrame.Leg) -> TraceTunnel? {
        guard let peer = keeper.rows.peers[row], leg.drop == nil,
            let network = traced.network.flatMap({ keeper.rows.networks[Int($0)] })
        else { return nil }
        let length = traced.cut?.longest ?? subject.bytes.count
        let datagrams = traced.cut?.frames ?? 1
        let isTrain = keeper.workers.allSatisfy(\.segments)
        let perMessage = isTrain ? traced.cut?.perMessage ?? 1 : 1
        let overhead = TopologyPlan.encapsulation(isIPv6: keeper.underlay.isIPv6)
        return TraceTunnel(
            source: "\(keeper.underlay)",
            sourcePorts: keeper.workers.map { $0.sourcePort(for: traced.flowHash) },
            destination: "\(peer.address)",
            destinationPort: keeper.configuration.underlay.port, vni: network.vni,
            packetBytes: length + overhead, pathMTU: keeper.pathMTUs[row], datagrams: datagrams,
            messages: (datagrams + perMessage - 1) / perMessage)
    }

    private func step(_ destination: TraceDestination, _ leg: TracedFrame.Leg) -> TraceStep {
        let name = name(destination)
        guard leg.place.isPort else {
            guard let tunnel = destination.tunnel else {
                let length = traced.cut?.longest ?? subject.bytes.count
                return TraceStep(
                    .tunnel, "\(name): a frame of \(length) bytes, its path takes \(leg.limit)",
                    drop: destination.drop)
            }
            return TraceStep(.tunnel, "\(name): \(text(tunnel))")
        }
        let device = keeper.rows.ports[Int(leg.place.index)]?.device ?? "?"
        let state = destination.state ?? .missing
        let isCarrierless = state == .down && destination.drop == nil
        return TraceStep(
            .delivery,
            "\(name): device \(device) is \(isCarrierless ? "up without a carrier" : "\(state)")",
            drop: destination.drop)
    }

    private func text(_ tunnel: TraceTunnel) -> String {
        let ports = tunnel.sourcePorts.map { "\($0)" }.joined(separator: " or ")
        let several =
            tunnel.datagrams > 1
            ? "\(tunnel.datagrams) datagrams in \(tunnel.messages) messages, the longest "
            : "one datagram, "
        let mark = traced.mark == 0 ? "" : ", congestion mark \(traced.mark) outside too"
        return "UDP \(tunnel.source) port \(ports) > \(tunnel.destination) port "
            + "\(tunnel.destinationPort), VNI \(tunnel.vni); \(several)\(tunnel.packetBytes) "
            + "bytes of IP, path MTU \(tunnel.pathMTU)\(mark)"
    }

    private func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.prefix(Self.shownBytes)
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
