// Datapath: what carries a host's traffic, put together and kept in step with its surroundings.
//
// Three kinds of threads: the workers forward; the keeper thread (Keeper.swift) writes the tables
// and watches the interfaces; whoever asks for status calls in from outside.

import CLinux
public import Catalog
public import ControlAPI
import Forwarding
import Glibc
public import Logging
import Ports
import Uring
import Wire

/// Why the datapath could not start: one line that says what to do.
public struct DatapathError: Error, CustomStringConvertible {
    public let description: String
}

/// The dataplane of one host.
public final class Datapath: @unchecked Sendable {
    /// As it was at the start: what changes later is the keeper's.
    let configuration: Configuration
    let underlay: SocketAddress
    let features: Features
    let workers: [WorkerThread]
    let keeper: Keeper
    let startedAt = ContinuousClock.now

    /// Opens the underlay's sockets, starts the workers and attaches the ports; goes on with what
    /// an earlier daemon has left, as far as that fits the configuration.
    ///
    /// Nothing is left behind if it throws, but for TAPs, which are persistent, and what is kept
    /// for the next attempt.
    public init(
        _ configuration: Configuration, handover: Handover = Handover(), logger: Logger
    ) throws(DatapathError) {
        self.configuration = configuration
        do {
            try Datapath.checkLimits(configuration)
            let address = try Datapath.underlayAddress(configuration.underlay)
            guard configuration.underlay.checksum || !address.isIPv6 else {
                throw DatapathError(
                    description: "underlay.checksum: \(address) is IPv6, which needs checksums: "
                        + "leave it out")
            }
            underlay = SocketAddress(address, port: configuration.underlay.port)
            let count = configuration.workers ?? min(8, Datapath.processors.count)
            let receivers = try Datapath.receivers(underlay, count, handover.store)
            let transmitters = try (0..<count).map { _ in
                try UnderlayTransmitter(address, count: configuration.underlay.sourcePorts)
            }
            features = Features(
                configuration, KernelFeatures.probe(), receivers[0], transmitters[0])
            try features.require()
            Datapath.apply(configuration.underlay, features, receivers, transmitters)
            keeper = try Keeper(
                configuration, underlay: address, workers: count, handover: handover,
                logger: logger)
            workers = try Datapath.startWorkers(
                configuration, underlay, features, receivers, transmitters, keeper)
            do {
                try keeper.start(workers)
            } catch {
                WorkerThread.stop(workers)
                throw error
            }
            features.log(logger, workers: count, underlay: underlay)
        } catch let error as DatapathError {
            throw error
        } catch {
            throw DatapathError(description: "\(error)")
        }
    }

    /// Makes networks, ports and peers what `new` says; what is in both goes on meanwhile.
    /// - Returns: what has changed, for people.
    /// - Throws: `DatapathError`, and nothing has changed.
    public func apply(_ new: Configuration) throws(DatapathError) -> String {
        let keeper = keeper
        return try keeper.perform { keeper.apply(new) }.get()
    }

    /// Throws what `apply` would throw, and changes nothing.
    public func check(_ new: Configuration) throws(DatapathError) {
        let keeper = keeper
        if let refusal = keeper.perform({ keeper.refusal(of: new) }) { throw refusal }
    }

    /// Tells of ports and stations.
    public var events: EventHub { keeper.events }

    /// Returns once the keeper has answered and every worker has begun a turn or sleeps: a
    /// watchdog's question.
    public func awaitProgress() {
        let keeper = keeper
        keeper.perform { keeper.tables.domain.synchronize { usleep(1000) } }
    }

    /// What the host has, in a few words.
    public var summary: String {
        let keeper = keeper
        return keeper.perform {
            let rows = keeper.rows
            let open = keeper.ports.count { $0 != nil }
            return "\(rows.networks.entries.count) networks, "
                + "\(open) of \(rows.ports.entries.count) ports, "
                + "\(rows.peers.entries.count) peers"
        }
    }

    /// Finishes what is in flight, stops the workers and closes everything.
    public func stop() {
        keeper.stop()
        WorkerThread.stop(workers)
        keeper.leave()
    }

    private static func underlayAddress(_ underlay: Underlay) throws -> IPAddress {
        switch underlay.source {
        case .address(let address): return address
        case .interface(let name):
            guard try Link.exists(name) else {
                throw DatapathError(
                    description: "underlay.interface: there is no interface \(name) (ip link)")
            }
            return try UnderlaySocket.address(ofInterface: name)
        }
    }

    /// The underlay's sockets, with what is queued in them if an earlier daemon has left them.
    private static func receivers(
        _ underlay: SocketAddress, _ count: Int, _ store: DescriptorStore?
    ) throws -> [UnderlayReceiver] {
        let kept = store?.take(Handover.underlay) {
            UnderlayReceiver.adopt($0, underlay.address, port: underlay.port, count: count)
        }
        if let kept { return kept }
        let new = try UnderlayReceiver.open(
            underlay.address, port: underlay.port, count: count)
        store?.keep(Handover.underlay, new.map(\.fileDescriptor))
        return new
    }

    /// Rows of the tables have 16-bit numbers.
    private static func checkLimits(_ configuration: Configuration) throws(DatapathError) {
        let counts = [
            ("networks", configuration.networks.count), ("ports", configuration.ports.count),
            ("peers", configuration.peers.count),
        ]
        for (name, count) in counts where count > Rows.Capacity.most {
            throw DatapathError(
                description: "\(name): \(count) of them, at most \(Rows.Capacity.most) fit")
        }
    }

    /// Socket options that follow from the configuration.
    private static func apply(
        _ underlay: Underlay, _ features: Features, _ receivers: [UnderlayReceiver],
        _ transmitters: [UnderlayTransmitter]
    ) {
        if !features.udpGRO.inUse {
            for receiver in receivers {
                var off: Int32 = 0
                setsockopt(receiver.fileDescriptor, Int32(SOL_UDP), UDP_GRO, &off, 4)
            }
        }
        guard !underlay.checksum else { return }
        for socket in transmitters.flatMap(\.sockets) {
            var on: Int32 = 1
            setsockopt(socket, SOL_SOCKET, SO_NO_CHECK, &on, 4)
        }
    }

    private static func startWorkers(
        _ configuration: Configuration, _ underlay: SocketAddress, _ features: Features,
        _ receivers: [UnderlayReceiver], _ transmitters: [UnderlayTransmitter], _ keeper: Keeper
    ) throws -> [WorkerThread] {
        var workers: [WorkerThread] = []
        // One worker is left to the scheduler; several are pinned, so that each keeps its caches.
        let cpus = receivers.count > 1 ? processors : []
        do {
            for index in receivers.indices {
                let parts = WorkerThread.Parts(
                    receiver: receivers[index], transmitter: transmitters[index],
                    underlay: underlay, segments: features.udpSegment.inUse,
                    trains: features.trains.inUse,
                    settings: WorkerSettings(
                        coalesces: features.coalesce.inUse,
                        readsMultishot: features.readMultishot.inUse),
                    spinning: spinning(configuration.busyPoll),
                    portCapacity: keeper.capacity.ports)
                workers.append(
                    try WorkerThread(
                        index, parts, keeper.workerTables[index],
                        cpu: cpus.isEmpty ? nil : cpus[index % cpus.count]))
            }
        } catch {
            WorkerThread.stop(workers)
            throw error
        }
        return workers
    }

    private static func spinning(_ mode: Configuration.BusyPoll) -> Spinner.Mode {
        switch mode {
        case .off: .off
        case .adaptive: .adaptive
        case .microseconds(let time): .always(UInt64(time) * 1000)
        }
    }

    /// The CPUs that this process may use.
    private static let processors: [Int] = {
        var cpus = [Int32](repeating: 0, count: 1024)
        let count = Int(weft_allowed_cpus(&cpus, 1024))
        return count > 0 ? cpus[..<count].map(Int.init) : [0]
    }()
}
