/// What a host does and has counted: the reply to `GET /v1/status`.
public struct Status: Codable, Sendable, Equatable {
    /// Version of the daemon.
    public var version: String
    /// The host's name.
    public var host: String
    /// Seconds since the daemon started.
    public var uptimeSeconds: Int
    /// The dataplane's workers, by index.
    public var workers: [WorkerStatus]
    /// The networks on this host.
    public var networks: [NetworkStatus]
    /// The ports of this host.
    public var ports: [PortStatus]
    /// The other hosts.
    public var peers: [PeerStatus]
    /// What all workers have counted together.
    public var counters: CounterStatus
    /// The interface to the provider's network, as far as it is known.
    public var underlay: UnderlayStatus?
    /// The daemon as a process.
    public var process: ProcessStatus?
    /// Captures that run.
    public var captures: Int

    /// A status of these parts.
    public init(
        version: String, host: String, uptimeSeconds: Int, workers: [WorkerStatus],
        networks: [NetworkStatus], ports: [PortStatus], peers: [PeerStatus],
        counters: CounterStatus, underlay: UnderlayStatus? = nil, process: ProcessStatus? = nil,
        captures: Int = 0
    ) {
        self.version = version
        self.host = host
        self.uptimeSeconds = uptimeSeconds
        self.workers = workers
        self.networks = networks
        self.ports = ports
        self.peers = peers
        self.counters = counters
        self.underlay = underlay
        self.process = process
        self.captures = captures
    }
}

/// A worker and what it got from the kernel.
public struct WorkerStatus: Codable, Sendable, Equatable {
    /// From 0.
    public var index: Int
    /// The CPU that it is pinned to, if it is.
    public var cpu: Int?
    /// What an idle worker does: `adaptive`, `off`, or a time like `50us`.
    public var busyPoll: String
    /// The kernel's features that it knows, by name, and whether it uses them.
    public var features: [String: FeatureStatus]
    /// Datagrams of the underlay, or trains of them, that were lost because the worker's socket was
    /// full: it did not get to read them.
    public var missedMessages: UInt64
    /// How full its queues and buffers are, and how long its turns took.
    public var load: WorkerLoad

    /// A worker with these features.
    public init(
        index: Int, cpu: Int?, busyPoll: String, features: [String: FeatureStatus],
        missedMessages: UInt64 = 0, load: WorkerLoad = WorkerLoad()
    ) {
        self.index = index
        self.cpu = cpu
        self.busyPoll = busyPoll
        self.features = features
        self.missedMessages = missedMessages
        self.load = load
    }
}

/// Whether a feature of the kernel is in use.
public struct FeatureStatus: Codable, Sendable, Equatable {
    /// Whether it is in use.
    public var inUse: Bool
    /// Why it is not: what the kernel said, or the configuration.
    public var reason: String?

    /// In use without a reason, or stepped down with one.
    public init(inUse: Bool, reason: String? = nil) {
        self.inUse = inUse
        self.reason = reason
    }
}

/// A network as it is on this host.
public struct NetworkStatus: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// VXLAN network identifier.
    public var vni: UInt32
    /// Largest inner IP packet in bytes.
    public var mtu: Int
    /// How many ports of this host are in it.
    public var ports: Int
    /// How many peers are in it.
    public var peers: Int
    /// How many endpoints of it are known, here and behind peers.
    public var endpoints: Int
    /// Frames and copies of it that were dropped, by reason; without reasons that never were.
    public var dropsByReason: [String: UInt64]

    /// A network of these numbers.
    public init(
        name: String, vni: UInt32, mtu: Int, ports: Int, peers: Int, endpoints: Int,
        dropsByReason: [String: UInt64] = [:]
    ) {
        self.name = name
        self.vni = vni
        self.mtu = mtu
        self.ports = ports
        self.peers = peers
        self.endpoints = endpoints
        self.dropsByReason = dropsByReason
    }
}

/// A port of this host.
public struct PortStatus: Codable, Sendable, Equatable {
    /// How a port's device is.
    public enum State: String, Codable, Sendable, CaseIterable {
        /// It passes frames.
        case up
        /// It is there, and not set up or without a carrier.
        case down
        /// There is no such device.
        case missing
    }

    /// Its name.
    public var name: String
    /// Name of its network.
    public var network: String
    /// What it is made of: `tap`, `interface` or `host`.
    public var kind: String
    /// Name of its device.
    public var device: String
    /// How its device is.
    public var state: State
    /// The device's MTU in bytes, 0 while it is missing.
    public var mtu: Int
    /// Frames of the device's user that were lost because the queue to Weft was full: of a TAP
    /// since the device was made, of an existing interface since it was attached.
    public var missedFrames: UInt64
    /// Received = from the device's user.
    public var counters: TrafficCounters
    /// What may pass it, where that is limited.
    public var limits: PortLimitsStatus?

    /// A port and what it has counted.
    public init(
        name: String, network: String, kind: String, device: String, state: State, mtu: Int,
        missedFrames: UInt64 = 0, counters: TrafficCounters, limits: PortLimitsStatus? = nil
    ) {
        self.name = name
        self.network = network
        self.kind = kind
        self.device = device
        self.state = state
        self.mtu = mtu
        self.missedFrames = missedFrames
        self.counters = counters
        self.limits = limits
    }
}

/// Another host.
public struct PeerStatus: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its address on the underlay.
    public var address: String
    /// Largest outer IP packet that the path to it takes, in bytes.
    public var pathMTU: Int
    /// Received = from the peer.
    public var counters: TrafficCounters

    /// A peer and what was counted for it.
    public init(name: String, address: String, pathMTU: Int, counters: TrafficCounters) {
        self.name = name
        self.address = address
        self.pathMTU = pathMTU
        self.counters = counters
    }
}
