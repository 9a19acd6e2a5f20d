import FoundationEssentials

/// Something that happened on a host: a line of the reply to `GET /v1/events`.
public struct Event: Codable, Sendable, Equatable {
    /// What can happen.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// A port's device passes frames.
        case portUp
        /// A port's device is gone, set down or without a carrier.
        case portDown
        /// A station was seen for the first time, or again after it had been forgotten.
        case endpointLearned
        /// A station was seen at another place than before.
        case endpointMoved
        /// What was learned of a station is forgotten: it was not seen for the ageing time of its
        /// network, somebody asked for it, or where it was is gone.
        case endpointForgotten
        /// A peer answers.
        case peerUp
        /// A peer answers no more.
        case peerDown
        /// Networks, ports or peers were changed.
        case configurationChanged
        /// So many events were left out because the reader was too slow.
        case eventsLost
    }

    /// When, in UTC (RFC 3339 with milliseconds).
    public var time: String
    /// What happened.
    public var event: Kind
    /// Name of the network that it happened in.
    public var network: String?
    /// Name of the port that it happened to.
    public var port: String?
    /// Name of the peer that it happened to.
    public var peer: String?
    /// The station that it happened to.
    public var mac: String?
    /// Where the station was.
    public var from: EndpointLocation?
    /// Where the station is.
    public var to: EndpointLocation?
    /// What was changed, without what it was and became.
    public var changes: [ObjectChange]?
    /// How many events were left out.
    public var lost: Int?
    /// More, in words.
    public var detail: String?

    /// An event that happens now.
    public init(
        _ event: Kind, network: String? = nil, port: String? = nil, peer: String? = nil,
        mac: String? = nil, from: EndpointLocation? = nil, to: EndpointLocation? = nil,
        changes: [ObjectChange]? = nil, lost: Int? = nil, detail: String? = nil
    ) {
        time = Date.now.formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        self.event = event
        self.network = network
        self.port = port
        self.peer = peer
        self.mac = mac
        self.from = from
        self.to = to
        self.changes = changes
        self.lost = lost
        self.detail = detail
    }
}
