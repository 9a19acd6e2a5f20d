/// What is to be traced: the body of `POST /v1/trace`. Where the frame comes from is one of `port`,
/// `peer` and `from`; what it is, either `hex` or the fields from `dst` on.
public struct TraceRequest: Codable, Sendable, Equatable {
    /// What a made-up frame carries.
    public enum Proto: String, Codable, Sendable, CaseIterable {
        /// An echo request, of ICMPv6 between IPv6 addresses.
        case icmp
        /// A SYN, or bulk data with `segment`.
        case tcp
        case udp
        /// A question who has the address; between IPv6 addresses a neighbour solicitation.
        case arp
    }

    /// Name of the port that the frame comes from.
    public var port: String?
    /// Name of the peer that it comes from.
    public var peer: String?
    /// Address on the underlay that it comes from, a peer's or not.
    public var from: String?
    /// Name of its network, for frames from the underlay.
    public var network: String?
    /// Its network's identifier, in place of `network`: one that this host does not have too.
    public var vni: Int?

    /// A whole frame, in hexadecimal digits and blanks. From the underlay, without `network` and
    /// `vni`: the datagram's payload, from the VXLAN header on.
    public var hex: String?
    /// MAC or IP that the frame is for.
    public var dst: String?
    /// MAC or IP that it comes from.
    public var src: String?
    /// `icmp` unless given.
    public var proto: Proto?
    /// Destination port of TCP and UDP.
    public var dport: Int?
    /// Bytes of the whole frame, from its Ethernet header on.
    public var length: Int?
    /// VLAN tag.
    public var vlan: Int?
    /// TCP and UDP: payload bytes of a segment; the frame is a superframe, to be cut into those.
    public var segment: Int?

    /// A request without any field.
    public init() {}
}

/// Why a trace is not made: what is wrong with the request.
public struct TraceError: Error, CustomStringConvertible, Equatable {
    /// Which of its fields.
    public let field: String
    /// What is wrong, and what was expected.
    public let message: String
    /// Both.
    public var description: String { "\(field): \(message)" }

    /// A field, and what is wrong with it.
    public init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }
}

/// What would become of a frame: the reply to `POST /v1/trace`.
public struct TraceReply: Codable, Sendable, Equatable {
    /// What becomes of it.
    public var verdict: TraceVerdict
    /// How that came about, in order.
    public var steps: [TraceStep]
    /// Where it, or copies of it, go.
    public var destinations: [TraceDestination]
    /// The frame that was traced, in hexadecimal digits; of long ones the beginning.
    public var frame: String
    /// The frame that is sent back, if it is answered, in hexadecimal digits.
    public var answer: String?

    /// A reply of these parts.
    public init(
        verdict: TraceVerdict, steps: [TraceStep], destinations: [TraceDestination],
        frame: String, answer: String?
    ) {
        self.verdict = verdict
        self.steps = steps
        self.destinations = destinations
        self.frame = frame
        self.answer = answer
    }
}

/// What becomes of a traced frame.
public struct TraceVerdict: Codable, Sendable, Equatable {
    /// The kinds of ends.
    public enum Result: String, Codable, Sendable, CaseIterable {
        /// To one port of this host.
        case delivered
        /// Into the tunnel to one peer.
        case sent
        /// Copies to some ports and peers.
        case flooded
        /// An answer goes back; the frame itself goes no further.
        case answered
        /// Nowhere.
        case dropped
    }

    /// Its end.
    public var result: Result
    /// Why it is dropped, by the name that the reason has in metrics.
    public var reason: String?
    /// What that reason means.
    public var description: String?

    /// An end, with a reason if it is `dropped`.
    public init(_ result: Result, reason: String? = nil, description: String? = nil) {
        self.result = result
        self.reason = reason
        self.description = description
    }
}

/// One thing that was looked at or decided.
public struct TraceStep: Codable, Sendable, Equatable {
    /// What was looked at. More may come.
    public enum Stage: String, Codable, Sendable, CaseIterable {
        /// What was traced, and what of it was made up.
        case frame
        /// Where it comes from.
        case port, underlay
        /// Whether its sender may send it.
        case source
        /// What is learned from it. A trace itself teaches nothing.
        case learning
        /// Whether ARP or neighbour discovery is answered here.
        case neighbour
        /// Where its destination is.
        case destination
        /// Who gets copies.
        case flood
        /// How a superframe is cut, and whether the path takes its frames.
        case size
        /// The tunnel to a peer.
        case tunnel
        /// A port of this host that it goes to.
        case delivery
        /// Its end.
        case verdict
    }

    /// What was looked at.
    public var stage: Stage
    /// What was found, for people.
    public var text: String
    /// Why the frame, or this copy of it, ends here, by the name that the reason has in metrics.
    public var drop: String?

    /// A step, with the reason if it ends the frame's way.
    public init(_ stage: Stage, _ text: String, drop: String? = nil) {
        self.stage = stage
        self.text = text
        self.drop = drop
    }
}

/// A place that a traced frame goes to.
public struct TraceDestination: Codable, Sendable, Equatable {
    /// Name of a port of this host; nil for a peer.
    public var port: String?
    /// Name of a peer; nil for a port.
    public var peer: String?
    /// How the port's device is.
    public var state: PortStatus.State?
    /// What goes to the peer.
    public var tunnel: TraceTunnel?
    /// Why it does not get there, by the name that the reason has in metrics.
    public var drop: String?

    /// A place.
    public init(
        port: String? = nil, peer: String? = nil, state: PortStatus.State? = nil,
        tunnel: TraceTunnel? = nil, drop: String? = nil
    ) {
        self.port = port
        self.peer = peer
        self.state = state
        self.tunnel = tunnel
        self.drop = drop
    }
}

/// The datagrams that carry a traced frame.
public struct TraceTunnel: Codable, Sendable, Equatable {
    /// This host's underlay address.
    public var source: String
    /// UDP source port by the flow's hash: of each worker one, and the frame meets one worker.
    public var sourcePorts: [UInt16]
    /// The peer's underlay address.
    public var destination: String
    /// UDP destination port.
    public var destinationPort: UInt16
    /// VXLAN network identifier.
    public var vni: UInt32
    /// Bytes of the largest outer IP packet.
    public var packetBytes: Int
    /// Bytes of the largest outer IP packet that the path takes.
    public var pathMTU: Int
    /// How many datagrams, after segmentation.
    public var datagrams: Int
    /// How many system calls' messages they leave in.
    public var messages: Int

    /// A tunnel's datagrams.
    public init(
        source: String, sourcePorts: [UInt16], destination: String, destinationPort: UInt16,
        vni: UInt32, packetBytes: Int, pathMTU: Int, datagrams: Int, messages: Int
    ) {
        self.source = source
        self.sourcePorts = sourcePorts
        self.destination = destination
        self.destinationPort = destinationPort
        self.vni = vni
        self.packetBytes = packetBytes
        self.pathMTU = pathMTU
        self.datagrams = datagrams
        self.messages = messages
    }
}
