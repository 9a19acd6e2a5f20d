// The steps of a trace up to where the frame goes, in the order in which Egress and Ingress take
// them.

import Catalog
import ControlAPI
import Forwarding
import Ports
import Wire

extension TraceNarrator {
    // MARK: The frame and where it comes from

    var frameSteps: [TraceStep] {
        let frame = subject.bytes.dropFirst(subject.frameOffset)
        let text = FrameText(Array(frame)).text
        return [TraceStep(.frame, text, drop: drop == .runtFrame ? drop?.name : nil)]
            + subject.notes.map { TraceStep(.frame, $0) }
            + superframeSteps
    }

    private var superframeSteps: [TraceStep] {
        if let refusal = traced.refusal {
            return [
                TraceStep(
                    .size, "a superframe that can not be cut: \(refusal)", drop: drop?.name)
            ]
        }
        guard let cut = traced.cut else { return [] }
        let text = "a superframe of \(cut.frames) frames, the longest \(cut.longest) bytes"
        return [TraceStep(.size, text, drop: drop == .malformedOffload ? drop?.name : nil)]
    }

    var originSteps: [TraceStep] {
        switch subject.origin {
        case .port(let row): [portStep(row)]
        case .underlay(let address): [underlayStep(address)]
        }
    }

    private func portStep(_ row: Int) -> TraceStep {
        guard let port = keeper.rows.ports[row] else { return TraceStep(.port, "row \(row)") }
        let link = keeper.ports[row].flatMap { try? $0.state() }
        let state =
            link.map { $0.isRunning ? "up" : "down: nothing comes from it now" }
            ?? "missing: nothing comes from it now"
        return TraceStep(
            .port, "\(port.name) in \(networkText); device \(port.device) is \(state)",
            drop: drop == .portDown ? drop?.name : nil)
    }

    private func underlayStep(_ address: IPAddress) -> TraceStep {
        guard let row = traced.peer, let peer = keeper.rows.peers[Int(row)] else {
            return TraceStep(.underlay, "\(address) is no peer of this host", drop: drop?.name)
        }
        let name = "\(address) is peer \(peer.name)"
        switch drop {
        case .notVXLAN:
            return TraceStep(
                .underlay, "\(name); no VXLAN header with a valid VNI", drop: drop?.name)
        case .unknownVNI:
            return TraceStep(
                .underlay, "\(name); no network of this host has VNI \(vniText)",
                drop: drop?.name)
        case .peerNotInNetwork:
            return TraceStep(
                .underlay, "\(name), which does not have the network of VNI \(vniText)",
                drop: drop?.name)
        default:
            return TraceStep(.underlay, "\(name), which has \(networkText)")
        }
    }

    private var vniText: String {
        let vni = subject.bytes.withUnsafeBytes { bytes in
            bytes.count >= VXLAN.headerLength
                ? bytes.baseAddress.flatMap { VXLAN.vni(at: $0) } : nil
        }
        return vni.map { "\($0)" } ?? "?"
    }

    private var networkText: String {
        guard let network = traced.network.flatMap({ keeper.rows.networks[Int($0)] }) else {
            return "no network"
        }
        return "network \(network.name) (VNI \(network.vni))"
    }

    // MARK: Its source

    var sourceSteps: [TraceStep] {
        [TraceStep(.source, sourceText, drop: sourceDrop?.name)] + learningSteps
    }

    private var sourceDrop: Drop? {
        switch drop {
        case .invalidSourceMAC, .vlanNotAllowed, .spoofedMAC, .spoofedIP, .stolenMAC,
            .congestionMarked:
            drop
        default: nil
        }
    }

    private var sourceText: String {
        let port = originPort
        let macs = (port?.macs ?? []).map { "\($0)" }.joined(separator: ", ")
        let ips = (port?.ips ?? []).map { "\($0)" }.joined(separator: ", ")
        switch sourceDrop {
        case .invalidSourceMAC: return "\(traced.source) is no station's MAC"
        case .vlanNotAllowed: return "a VLAN tag; the network has vlan: drop"
        case .spoofedMAC:
            return "\(traced.source), or the sender's MAC in ARP, is none of the port's macs: "
                + macs
        case .spoofedIP: return "the sender's IP is none of the port's ips: \(ips)"
        case .stolenMAC:
            return "\(traced.source) is fixed at \(text(traced.knownSource))"
        case .congestionMarked: return "the outer header's mark can not be carried into the frame"
        default: break
        }
        guard isFromPort else { return "\(traced.source): sources of peers are not checked" }
        if macs.isEmpty { return "\(traced.source): any source may come from the port (no macs)" }
        if ips.isEmpty { return "\(traced.source) is one of the port's macs; any IP (no ips)" }
        return "\(traced.source) is one of the port's macs, its IP one of its ips"
    }

    private var originPort: Port? {
        if case .port(let row) = subject.origin { keeper.rows.ports[row] } else { nil }
    }

    private var learningSteps: [TraceStep] {
        guard sourceDrop == nil else { return [] }
        guard let network = traced.network, keeper.rows.networks[Int(network)]?.learning == true
        else { return [TraceStep(.learning, "the network does not learn")] }
        let known = traced.knownSource
        guard let sighting = traced.sighting else {
            return [TraceStep(.learning, "the source is known at \(text(known))")]
        }
        let place = placeText(sighting.location)
        let address =
            sighting.address == .any ? "" : ", with \(text(sighting.address))"
        let text =
            if let known {
                known.location.isSamePlace(as: sighting.location)
                    ? "the source is known at \(text(known)); the frame confirms it\(address)"
                    : "the source is known at \(text(known)); the frame would move it to \(place)"
            } else {
                "the source is new; the frame would teach that it is at \(place)\(address)"
            }
        return [TraceStep(.learning, text)]
    }

    // MARK: Questions, and the destination

    var lookUpSteps: [TraceStep] { questionSteps + destinationSteps }

    private var questionSteps: [TraceStep] {
        guard let question = traced.question else { return [] }
        let target = text(question.target)
        guard isFromPort else {
            return [
                TraceStep(.neighbour, "asks for \(target); questions of peers go to the ports")
            ]
        }
        let reason: String
        if let owner = question.owner {
            let origin = owner.isFixed ? "static" : "learned"
            let known = "\(target) is \(owner.mac) (\(origin))"
            if traced.reply != nil {
                reason = "\(known): answered here"
            } else if originNetwork?.arpSuppression == false {
                reason = "\(known); the network has arpSuppression: false"
            } else if let place = question.place, place.isSamePlace(as: originPlace) {
                reason = "\(known), behind the same port: it answers for itself"
            } else if owner.mac == traced.source {
                reason = "\(known): the asker itself"
            } else {
                reason =
                    "\(known), which is not enough to answer: it is asked whether it is free, "
                    + "or has not said whether it is a router"
            }
        } else {
            reason = "nobody is known to have \(target)"
        }
        return [TraceStep(.neighbour, reason)]
    }

    private var originNetwork: Network? { traced.network.flatMap { keeper.rows.networks[Int($0)] } }

    private var originPlace: Location {
        switch subject.origin {
        case .port(let row): .port(UInt16(row))
        case .underlay: .peer(traced.peer ?? .max)
        }
    }

    private var destinationSteps: [TraceStep] {
        // Who has the answer does not look for the destination.
        if traced.reply != nil, traced.question != nil { return [] }
        let mac = traced.destination
        if mac.isMulticast {
            let who = mac.isBroadcast ? "everyone" : "a group"
            return [
                TraceStep(.destination, "\(mac) is for \(who): copies to all", drop: drop?.name)
            ]
        }
        guard let known = traced.knownDestination else {
            let text = "no endpoint has \(mac)"
            return drop == nil
                ? [TraceStep(.destination, "\(text): copies to all")]
                : [TraceStep(.destination, "\(text)\(whyNotFlooded)", drop: drop?.name)]
        }
        let place = "\(mac) is at \(text(known))"
        return switch drop {
        case .samePort:
            [TraceStep(.destination, "\(place), where the frame comes from", drop: drop?.name)]
        case .splitHorizon:
            [
                TraceStep(
                    .destination, "\(place), and from peers only ports get frames", drop: drop?.name
                )
            ]
        default: [TraceStep(.destination, place)] + tooBigSteps(known)
        }
    }

    private var whyNotFlooded: String {
        if originNetwork?.learning == false { return "; the network does not learn, nor flood" }
        if originPort?.floodUnknown == false { return "; the port has floodUnknown: false" }
        return ""
    }

    /// A frame that the path does not take, and what its sender is told.
    private func tooBigSteps(_ known: TracedFrame.Known) -> [TraceStep] {
        guard drop == .tooBig || traced.reply != nil, known.location.isPeer else { return [] }
        let length = traced.cut?.longest ?? subject.bytes.count
        let text = "a frame of \(length) bytes is more than the path takes"
        guard let reply = traced.reply else {
            return [TraceStep(.size, text, drop: drop?.name)]
        }
        return [TraceStep(.size, "\(text); the sender is told: \(FrameText(reply).text)")]
    }

    // MARK: Words

    private func text(_ address: IPv6Address) -> String {
        address.mappedIPv4?.description ?? address.description
    }

    private func placeText(_ location: Location) -> String {
        let row = Int(location.index)
        return location.isPort
            ? "port \(keeper.rows.ports[row]?.name ?? "\(row)")"
            : "peer \(keeper.rows.peers[row]?.name ?? "\(row)")"
    }

    private func text(_ known: TracedFrame.Known?) -> String {
        guard let known else { return "another place" }
        let place = placeText(known.location)
        return known.location.isFixed
            ? "\(place) (static)" : "\(place) (learned, seen \(known.age) s ago)"
    }
}
