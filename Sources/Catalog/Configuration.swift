/// The desired state of one host, as its configuration file describes it.
///
/// A value of this type is valid as a whole: names are unique, references resolve and numbers
/// are within their ranges. `Configuration.load(file:)` and `Configuration.parse(yaml:file:)`
/// make one; `docs/configuration.md` is the reference of the file's keys.
public struct Configuration: Sendable, Equatable {
    /// The host's own name: 1...63 letters, digits, `-`, `_` or `.`.
    public var host: String
    /// How this host meets the provider's network.
    public var underlay: Underlay
    /// Dataplane workers, 1...64; nil = one per CPU, 8 at most.
    public var workers: Int?
    /// What an idle worker does before it sleeps.
    public var busyPoll: BusyPoll
    /// Switches that force a worker to do without a feature of the kernel.
    public var offloads: Offloads
    /// The other hosts.
    public var peers: [Peer]
    /// The isolated L2 segments that this host takes part in.
    public var networks: [Network]
    /// Where VMs, bridges, containers and the host itself meet the networks.
    public var ports: [Port]
    /// The socket of the control API.
    public var control: Control
    /// What the daemon writes to its log.
    public var log: Log

    /// A host with nothing attached; every section but these two has defaults.
    public init(host: String, underlay: Underlay) {
        self.host = host
        self.underlay = underlay
        workers = nil
        busyPoll = .adaptive
        offloads = Offloads()
        peers = []
        networks = []
        ports = []
        control = Control()
        log = Log()
    }
}

extension Configuration {
    /// What an idle worker does before it sleeps in the kernel.
    public enum BusyPoll: Sendable, Equatable {
        /// Spins only while spinning has lately found work.
        case adaptive
        /// Sleeps at once.
        case off
        /// Spins for this long, 1...1000 microseconds.
        case microseconds(Int)
    }

    /// Features of the kernel that a worker uses where it finds them. False = do without, as on
    /// a kernel that has none.
    public struct Offloads: Sendable, Equatable {
        /// UDP segmentation offload of TAPs (TUN_F_USO4/6): UDP superframes from and to guests.
        public var uso = true
        /// UDP_SEGMENT on the underlay: many datagrams in one send.
        public var udpSegment = true
        /// UDP_GRO on the underlay: many datagrams in one receive.
        public var udpGRO = true
        /// Multishot reads of TAPs.
        public var readMultishot = true
        /// Merging inner segments into superframes for guests.
        public var coalesce = true
        /// Sending consecutive small frames of one size as one UDP_SEGMENT train.
        public var trains = true

        /// Everything on.
        public init() {}
    }

    /// The control API's Unix socket.
    public struct Control: Sendable, Equatable {
        /// Path of the socket.
        public var socket = "/run/weft/weft.sock"
        /// Permission bits of the socket, 0...0o777.
        public var mode: UInt32 = 0o660
        /// Group of the socket, a name or a number; nil = `weft` where that group exists.
        public var group: String?
        /// Path of the file that keeps what is set through the API.
        public var state = "/var/lib/weft/state.json"

        /// The defaults.
        public init() {}
    }

    /// What the daemon writes to its log.
    public struct Log: Sendable, Equatable {
        /// How grave an event must be to be written.
        public var level = LogLevel.info
        /// What its lines look like.
        public var format = LogFormat.text

        /// The defaults.
        public init() {}
    }

    /// What the log's lines look like.
    public enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }

    /// Levels of the log, swift-log's names, chatty first.
    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }
}

extension Configuration {
    /// The network with this name.
    public func network(named name: String) -> Network? {
        networks.first { $0.name == name }
    }

    /// The peer with this name.
    public func peer(named name: String) -> Peer? {
        peers.first { $0.name == name }
    }

    /// The peers that take part in `network`: its flood list, and the only sources it accepts.
    public func peers(of network: Network) -> [Peer] {
        peers.filter { $0.takesPart(in: network) }
    }

    /// The sections of the file in which `other` differs and that are read at start only: all but
    /// `networks`, `ports` and `peers`.
    public func sectionsThatNeedRestart(for other: Configuration) -> [String] {
        let sections = [
            ("host", host == other.host), ("underlay", underlay == other.underlay),
            ("workers", workers == other.workers), ("busyPoll", busyPoll == other.busyPoll),
            ("offloads", offloads == other.offloads), ("control", control == other.control),
            ("log", log == other.log),
        ]
        return sections.filter { !$0.1 }.map(\.0)
    }
}
