// Keeper: the thread that keeps the tables and the ports. It alone writes the tables; it applies
// what workers report as soon as they do, ages endpoints, follows interfaces that come and go and
// paths that change, and runs what others ask it to run.

import CLinux
import Catalog
import ControlAPI
import Forwarding
import Glibc
import Logging
import Ports
import Synchronization
import Wire

final class Keeper: @unchecked Sendable {
    let underlay: IPAddress
    let tables = TableKeeper()
    let workerTables: [WorkerTables]
    let capacity: Rows.Capacity
    let handover: Handover
    let logger: Logger
    let events = EventHub()
    let captureNumbers = Atomic<Int>(0)
    // What follows belongs to the keeper's thread once it has been started.
    var configuration: Configuration
    var rows: Rows
    var workers: [WorkerThread] = []
    /// The open device of each port, by its row.
    var ports: [AttachedPort?]
    /// The captures that run.
    var captures: [RunningCapture] = []
    /// Captures whose memory is taken: those that run, and those that nobody has read to the end.
    var capturesHeld = 0
    /// The rows of ports whose devices pass frames, as far as that was told.
    var upPorts: Set<Int> = []
    /// The last reason why a port could not be attached, to say each once.
    var complaints: [String?]
    /// What was counted for a row before it became that of another port or peer.
    var baselines = Baselines()
    var allowances = Allowances()
    var monitors: [NetworkNamespace?: LinkMonitor] = [:]
    /// Which namespaces the names stood for when they were first looked at.
    var namespaceIdentities: [NetworkNamespace: NetworkNamespace.Identity] = [:]
    /// Whether TAPs give UDP superframes; nil until there was one.
    var kernelTakesUSO: Bool?
    /// Of each peer, by its row.
    var pathMTUs: [Int] = []
    var plan: TopologyPlan
    /// Why what was learned could not be saved, to say each once.
    var saveComplaint: LearnedTableError?
    private var ticks = 0
    private var nextTick = 0
    private var saidSegmentationRefused = false
    private let event: Int32
    private let requests = Mutex<[@Sendable () -> Void]>([])
    private let isStopping = Atomic<Bool>(false)
    private var thread = pthread_t()

    init(
        _ configuration: Configuration, underlay: IPAddress, workers count: Int,
        handover: Handover, logger: Logger
    ) throws(SystemError) {
        self.configuration = configuration
        self.handover = handover
        self.underlay = underlay
        self.logger = logger
        let rows = Rows(configuration)
        let capacity = Rows.Capacity(for: configuration)
        self.rows = rows
        self.capacity = capacity
        let event = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard event >= 0 else { throw SystemError(call: "eventfd", errno: errno) }
        self.event = event
        let tables = tables
        workerTables = (0..<count).map { _ in
            let counters = Counters(
                portCapacity: capacity.ports, peerCapacity: capacity.peers,
                networkCapacity: capacity.networks)
            return WorkerTables(tables, counters: counters, keeperEvent: event)
        }
        ports = configuration.ports.map { _ in nil }
        complaints = configuration.ports.map { _ in nil }
        pathMTUs = Keeper.measurePaths(rows.peers, underlay)
        plan = TopologyPlan(
            rows: rows, underlay: underlay, pathMTUs: pathMTUs,
            interfaceMTU: Keeper.interfaceMTU(of: underlay), takesUDPSuperframes: [])
        tables.publish(plan.description)
        tables.fix(plan.fixedEndpoints)
        tellOfStations()
    }

    deinit { close(event) }

    /// Attaches the ports and starts the thread.
    func start(_ workers: [WorkerThread]) throws(SystemError) {
        self.workers = workers
        let known = restoreLearned()
        watchLinks()
        try attachFirst()
        for worker in workers { worker.mailbox.post(.begin) }
        sayWhatWasThere(known)
        let context = Unmanaged.passUnretained(self).toOpaque()
        pthread_create(
            &thread, nil,
            { context in
                Unmanaged<Keeper>.fromOpaque(context!).takeUnretainedValue().main()
                return nil
            }, context)
    }

    /// Ends the thread. The ports stay attached until the workers have stopped.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        eventfd_write(event, 1)
        pthread_join(thread, nil)
    }

    /// Leaves things to the next daemon, once the workers have stopped.
    func leave() {
        tables.applySightings(now: WorkerTables.seconds())
        saveLearned()
        guard handover.store != nil else { return }
        for device in ports { device?.leave() }
    }

    private func sayWhatWasThere(_ known: Int) {
        let unused = handover.store?.releaseRest() ?? []
        if !unused.isEmpty {
            logger.notice("closed what no port has any more: \(unused.joined(separator: ", "))")
        }
        let kept = ports.count { $0?.isKept == true }
        guard kept > 0 || known > 0 else { return }
        logger.notice(
            "going on where the daemon before ended: \(kept) open devices, \(known) endpoints")
    }

    /// Runs something on the keeper's thread and waits for what it gives. Not after `stop`.
    func perform<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
        let answer = Answer<Result>()
        post { answer.give(body()) }
        return answer.take()
    }

    /// Runs something on the keeper's thread at some time; never, if it was stopped.
    func post(_ body: @escaping @Sendable () -> Void) {
        requests.withLock { $0.append(body) }
        eventfd_write(event, 1)
    }

    private func main() {
        weft_name_thread("weft-keeper")
        while !isStopping.load(ordering: .acquiring) {
            waitForSomething()
            for worker in workerTables { worker.answerCall() }
            tables.applySightings(now: WorkerTables.seconds())
            for request in takeRequests() { request() }
            followLinks()
            tickIfDue()
        }
        for request in takeRequests() { request() }
    }

    private func takeRequests() -> [@Sendable () -> Void] {
        requests.withLock { requests in
            defer { requests.removeAll() }
            return requests
        }
    }

    /// Sleeps until a worker, another thread or an interface calls, or the next tick is due.
    private func waitForSomething() {
        var files = [pollfd(fd: event, events: Int16(POLLIN), revents: 0)]
        files += monitors.values.map {
            pollfd(fd: $0.fileDescriptor, events: Int16(POLLIN), revents: 0)
        }
        let now = Keeper.milliseconds()
        _ = poll(&files, nfds_t(files.count), Int32(max(0, min(1000, nextTick - now))))
        var value: eventfd_t = 0
        eventfd_read(event, &value)
    }

    /// Once a second.
    private func tickIfDue() {
        let now = Keeper.milliseconds()
        guard now >= nextTick else { return }
        nextTick = now + 1000
        ticks += 1
        tables.age(now: WorkerTables.seconds())
        forgetRemovedNamespaces()
        attachMissing()
        // Every worker is asked: no short circuit.
        let isRefused = workerTables.map { $0.take(.pathRefused) }.contains(true)
        if isRefused || ticks % 10 == 0 { followPaths() }
        if ticks % 60 == 0 { saveLearned() }
        let parked = workers.filter { $0.tables.take(.portParked) }
        if !parked.isEmpty { forgetDeletedTaps() }
        for worker in parked { worker.mailbox.post(.resume) }
        noteRefusedSegmentation()
    }

    private func noteRefusedSegmentation() {
        let isRefused = workerTables.contains { $0.has(.segmentationRefused) }
        guard isRefused, !saidSegmentationRefused else { return }
        saidSegmentationRefused = true
        logger.warning(
            "without udpSegment: a device refused a segmented message (no checksum offload?)")
    }

    private static func milliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}

/// What one thread asks and another answers.
private final class Answer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let given = Semaphore()

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        given.signal()
    }

    func take() -> Value {
        given.wait()
        return value.withLock { $0! }
    }
}
