// Captures that run: the keeper begins and ends them, since they go by the tables' rows.

import CLinux
import Capture
import Catalog
public import ControlAPI
import Forwarding
import Glibc
import Logging
import Synchronization
import Wire

extension Datapath {
    /// Begins a capture; it ends when nobody reads it any more.
    public func startCapture(
        _ request: CaptureRequest
    ) throws(CaptureRefusal) -> CapturePieces {
        let keeper = keeper
        // The memory is taken here, not by the keeper, which has other things to do.
        let capture = try RunningCapture(
            id: keeper.captureNumbers.add(1, ordering: .relaxed).newValue, request,
            workers: workers.count, rows: keeper.capacity.ports)
        if let refusal = keeper.perform({ keeper.begin(capture) }) {
            capture.free()
            throw refusal
        }
        return CapturePieces(CaptureHandle(capture, keeper))
    }

    /// The captures that run.
    public func captures() -> [CaptureStatus] {
        let keeper = keeper
        return keeper.perform { keeper.captures.map(\.status) }
    }

    /// Ends a capture: whoever reads it gets what was captured so far, and the statistics.
    /// - Returns: whether there was such a capture.
    public func endCapture(_ id: Int) -> Bool {
        let keeper = keeper
        return keeper.perform {
            guard let capture = keeper.captures.first(where: { $0.id == id }) else { return false }
            keeper.end(capture)
            return true
        }
    }
}

extension Keeper {
    /// Has the workers show packets to a capture. Nil if they do, else why not.
    func begin(_ capture: RunningCapture) -> CaptureRefusal? {
        let request = capture.request
        guard capturesHeld < CapturePoints.most else {
            return CaptureRefusal(
                .tooMany, "\(capturesHeld) captures run, and no more may: end one first")
        }
        if let port = request.port, rows.ports.row(of: port) == nil {
            return CaptureRefusal(.notFound, "there is no port \(port)")
        }
        if let network = request.network, rows.networks.row(of: network) == nil {
            return CaptureRefusal(.notFound, "there is no network \(network)")
        }
        describePorts(to: capture)
        captures.append(capture)
        guard postCaptures() else {
            captures.removeAll { $0 === capture }
            capture.keep()
            return CaptureRefusal(.tooMany, "a worker does not answer")
        }
        capturesHeld += 1
        logger.info(
            "capture \(capture.id) begins",
            metadata: ["of": "\(request.place)", "filter": "\(request.expression ?? "none")"])
        return nil
    }

    /// Has the workers let go of a capture. If one does not, keeping the memory is the lesser evil.
    func end(_ capture: RunningCapture) {
        guard let index = captures.firstIndex(where: { $0 === capture }) else { return }
        captures.remove(at: index)
        if !postCaptures() { capture.keep() }
        capture.end()
        logger.info("capture \(capture.id) ends", metadata: ["lost": "\(capture.status.lost)"])
    }

    /// Ends captures of what is no more, and tells the others what ports are called.
    func followCaptures() {
        for capture in captures {
            let request = capture.request
            let hasPort = request.port.map { rows.ports.row(of: $0) != nil } ?? true
            let hasNetwork = request.network.map { rows.networks.row(of: $0) != nil } ?? true
            if hasPort && hasNetwork { describePorts(to: capture) } else { end(capture) }
        }
    }

    private func describePorts(to capture: RunningCapture) {
        let request = capture.request
        var interfaces: [UInt16: CaptureStream.Interface] = [:]
        for (row, port) in rows.ports.entries {
            interfaces[UInt16(row)] = CaptureStream.Interface(
                name: port.name,
                description: "port of network \(port.network), device "
                    + "\(port.device): inbound is from the device's user")
        }
        let wanted = rows.ports.entries.first {
            (request.port ?? $0.element.name) == $0.element.name
                && (request.network ?? $0.element.network) == $0.element.network
        }
        let first = request.underlay ? nil : wanted?.row
        capture.name(interfaces, first: first.map { UInt16($0) } ?? CaptureRecord.underlay)
    }

    /// Tells all workers which captures run, and waits until they know. False if one does not
    /// answer.
    private func postCaptures() -> Bool {
        let before = workers.map(\.mailbox.acknowledgements)
        for worker in workers {
            worker.mailbox.post(
                .captures(
                    captures.map { capture in
                        capture.tap(
                            worker: worker.index,
                            port: capture.request.port.flatMap { rows.ports.row(of: $0) },
                            network: capture.request.network.flatMap { rows.networks.row(of: $0) })
                    }))
        }
        // Every worker is waited for: no short circuit.
        let answers = zip(workers, before).map { waitForAcknowledgement($0, beyond: $1) }
        return !answers.contains(false)
    }
}

extension CaptureRequest {
    /// For people: `drops at port vm1`.
    fileprivate var place: String {
        let parts = [
            drops ? "drops" : nil, underlay ? "underlay" : nil, port.map { "port \($0)" },
            network.map { "network \($0)" },
        ].compactMap { $0 }
        return parts.isEmpty ? "all ports" : parts.joined(separator: ", ")
    }
}

/// Ends a capture when nobody refers to it any more.
private final class CaptureHandle: Sendable {
    let capture: RunningCapture
    private let keeper: Keeper

    init(_ capture: RunningCapture, _ keeper: Keeper) {
        self.capture = capture
        self.keeper = keeper
    }

    func end() {
        let (keeper, capture) = (keeper, capture)
        keeper.perform { keeper.end(capture) }
    }

    deinit {
        let (keeper, capture) = (keeper, capture)
        keeper.post {
            keeper.end(capture)
            keeper.capturesHeld -= 1
            capture.free()
        }
    }
}

/// What one capture gives, as pieces of a pcapng stream: until it is ended, or as many packets
/// have come as were asked for. Read once. What is not read waits in rings of fixed size, and what
/// finds them full is lost and counted.
public struct CapturePieces: AsyncSequence, Sendable {
    private let handle: CaptureHandle

    fileprivate init(_ handle: CaptureHandle) { self.handle = handle }

    /// By which `endCapture` knows it.
    public var id: Int { handle.capture.id }

    public func makeAsyncIterator() -> Iterator { Iterator(handle) }

    public struct Iterator: AsyncIteratorProtocol {
        /// Pauses between looks into the rings, while nothing comes.
        private static let pauses = (shortest: Duration.milliseconds(1), longest: 10)
        /// After so long without a packet statistics are sent, so that a reader that has gone
        /// away is noticed.
        private static let beat = Duration.seconds(1)

        private let handle: CaptureHandle
        private var stream: CaptureStream
        private var isOver = false
        private var pause = Self.pauses.shortest
        private var spoke = ContinuousClock.now

        fileprivate init(_ handle: CaptureHandle) {
            self.handle = handle
            stream = handle.capture.stream(application: "weftd \(Release.version)") { reason in
                Drop(rawValue: reason).map { "\($0.name): \($0.help)" } ?? "dropped"
            }
        }

        public mutating func next() async throws -> [UInt8]? {
            guard !isOver else { return nil }
            while true {
                // First: what was captured before the end is in the rings then.
                let isEnding = handle.capture.isEnding
                let piece = stream.next(now: isEnding ? .max : Self.now())
                if !piece.isEmpty { return spoken(piece) }
                if isEnding || stream.isComplete {
                    handle.end()
                    isOver = true
                    return stream.statistics(now: Self.now())
                }
                if spoke.duration(to: .now) > Self.beat {
                    return spoken(stream.statistics(now: Self.now()))
                }
                try await Task.sleep(for: pause)
                pause = Swift.min(pause * 2, .milliseconds(Self.pauses.longest))
            }
        }

        private mutating func spoken(_ piece: [UInt8]) -> [UInt8] {
            spoke = .now
            pause = Self.pauses.shortest
            return piece
        }

        private static func now() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
    }
}
