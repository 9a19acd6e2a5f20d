import Capture
import ControlAPI
import Glibc
import Synchronization
import Wire

/// A capture while it runs: the memory that workers and reader share, and what is known of it.
final class RunningCapture: Sendable {
    let id: Int
    let request: CaptureRequest
    /// One for each worker.
    let rings: [CaptureRing]
    let snapLength: Int
    private let filter: PacketFilter?
    private let startedAt = ContinuousClock.now
    private let state = Mutex(State())
    private let ending = Atomic<Bool>(false)

    private struct State {
        var interfaces: [UInt16: CaptureStream.Interface] = [:]
        /// The row of the port that it is about, or of any.
        var first = CaptureRecord.underlay
        /// The memory is given back, or never will be.
        var isSettled = false
    }

    /// Takes the memory. Whoever makes it calls `free`, once no worker uses it.
    init(
        id: Int, _ request: CaptureRequest, workers: Int, rows: Int
    ) throws(CaptureRefusal) {
        try request.check()
        self.id = id
        var request = request
        do {
            filter = try request.filter.map { program throws(FilterError) in
                try PacketFilter(program)
            }
        } catch {
            throw CaptureRefusal(.invalid, "filter: \(error)")
        }
        request.filter = nil
        self.request = request
        snapLength = request.snapLength ?? CaptureRequest.longestSnap
        let wanted = (request.bufferKiB ?? CaptureRequest.defaultBuffer) << 10
        // The next power of two.
        let capacity = 1 << (Int.bitWidth - (wanted - 1).leadingZeroBitCount)
        rings = (0..<workers).map { _ in CaptureRing(capacity: capacity, rows: rows) }
    }

    /// Gives the memory back. No worker may use it any more, and no reader.
    func free() {
        guard settle() else { return }
        filter?.deallocate()
        for ring in rings { ring.deallocate() }
    }

    /// Never gives the memory back: a worker may use it for ever.
    func keep() { _ = settle() }

    /// Whether the memory's end was still open.
    private func settle() -> Bool {
        state.withLock { state in
            defer { state.isSettled = true }
            return !state.isSettled
        }
    }

    /// What a worker needs of it. `port` and `network`: the rows of what was asked for.
    func tap(worker: Int, port: Int?, network: Int?) -> CaptureTap {
        let isAnywhere = request.drops && request.port == nil
        return CaptureTap(
            atPorts: !request.underlay, atUnderlay: request.underlay || isAnywhere,
            port: port.map { UInt16($0) } ?? CaptureTap.any,
            network: network.map { UInt16($0) } ?? CaptureTap.any, drops: request.drops,
            snapLength: snapLength, filter: filter, ring: rings[worker])
    }

    /// No more comes: workers have let go of it.
    var isEnding: Bool { ending.load(ordering: .acquiring) }

    func end() { ending.store(true, ordering: .releasing) }

    /// What ports are called from now on; `first` is the row to describe first.
    func name(_ interfaces: [UInt16: CaptureStream.Interface], first: UInt16) {
        state.withLock {
            $0.interfaces.merge(interfaces) { $1 }
            $0.first = first
        }
    }

    /// The stream of what is captured.
    func stream(application: String, explanation: @escaping @Sendable (UInt8) -> String)
        -> CaptureStream
    {
        CaptureStream(
            rings, application: application, snapLength: snapLength, limit: request.count,
            first: state.withLock(\.first), interface: { [self] in interface($0) },
            explanation: explanation)
    }

    private func interface(_ row: UInt16) -> CaptureStream.Interface {
        if row == CaptureRecord.underlay {
            return CaptureStream.Interface(
                name: "underlay",
                description: "datagrams from and to peers; their Ethernet, IP "
                    + "and UDP headers are reconstructed")
        }
        return state.withLock { $0.interfaces[row] }
            ?? CaptureStream.Interface(name: "port \(row)", description: "a port that is gone")
    }

    var status: CaptureStatus {
        CaptureStatus(
            id: id, request: request, seconds: Int(startedAt.duration(to: .now).components.seconds),
            captured: rings.reduce(0) { $0 + $1.captured }, lost: rings.reduce(0) { $0 + $1.lost })
    }
}

/// Why a capture was not begun.
public struct CaptureRefusal: Error, CustomStringConvertible {
    public enum Kind: Sendable {
        /// The request makes no sense.
        case invalid
        /// It names what is not there.
        case notFound
        /// As many captures run as may.
        case tooMany
    }

    public let kind: Kind
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

extension CaptureRequest {
    /// Bytes of the longest packet, and more: what libpcap calls the maximum snapshot length.
    static let longestSnap = 262_144
    /// KiB of a ring that is not asked for otherwise.
    static let defaultBuffer = 4096
    /// KiB of rings: the smallest takes two of the largest packets, and a worker's largest times
    /// workers times captures is what they may all take together.
    static let buffers = 256...16384

    /// Throws if a number is out of its range, or if parts exclude each other.
    fileprivate func check() throws(CaptureRefusal) {
        func check(_ value: Int?, _ range: ClosedRange<Int>, _ key: String) throws(CaptureRefusal) {
            guard let value, !range.contains(value) else { return }
            throw CaptureRefusal(
                .invalid,
                "\(key): found \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
        try check(snapLength, 1...Self.longestSnap, "snapLength")
        try check(count, 1...Int.max, "count")
        try check(bufferKiB, Self.buffers, "bufferKiB")
        try check(expression?.utf8.count, 0...4096, "expression: its length")
        if underlay, port != nil {
            throw CaptureRefusal(.invalid, "port and underlay exclude each other: choose one")
        }
    }
}
