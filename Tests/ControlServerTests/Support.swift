import Catalog
import ControlAPI
import Dispatch
import Foundation
import Logging
import Synchronization
import Wire
import weftd

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Tells fixed things.
struct FixedProvider: TableProvider {
    func status() -> Status {
        Status(
            version: "1.0", host: "host-a", uptimeSeconds: 1, workers: [], networks: [], ports: [],
            peers: [],
            counters: CounterStatus(
                totals: [:], drops: [DropCount(reason: "tooBig", description: "", count: 4)]))
    }

    func endpoints() -> [EndpointEntry] {
        (0..<10_000).map { (index: Int) in
            EndpointEntry(
                network: "red", mac: "mac \(index)", ips: [], location: .peer("b"),
                origin: .learned, ageSeconds: index)
        }
    }

    func neighbours() -> [NeighbourEntry] {
        [NeighbourEntry(network: "red", ip: "10.0.0.1", mac: "m", origin: .static)]
    }

    func forget(network: String, mac: MACAddress) -> Bool { mac.octet(5) == 7 }

    func forget(network: String, ip: IPAddress) -> Bool { "\(ip)" == "10.0.0.7" }
}

extension FixedProvider: TraceProvider {
    func trace(_ request: TraceRequest) throws(TraceError) -> TraceReply {
        guard request.port == "vm1" else { throw TraceError("port", "there is no such port") }
        return TraceReply(
            verdict: TraceVerdict(.sent),
            steps: [TraceStep(.destination, request.dst ?? request.hex ?? "")], destinations: [],
            frame: "", answer: nil)
    }
}

/// Runs `body`, which may block, on a thread of its own: the tasks of the server under test have
/// the cooperative threads to themselves.
func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result(catching: body)) }.start()
    }
}

/// Takes every desired state but those that have a port named `refused`, and remembers the last.
final class FakeFollower: StateFollower {
    struct Refused: Error, CustomStringConvertible {
        let description = "there is no room for it"
    }

    let applied = Mutex<[Configuration]>([])

    func check(_ new: Configuration) throws {
        if new.ports.contains(where: { $0.name == "refused" }) { throw Refused() }
    }

    func apply(_ new: Configuration) throws -> String {
        try check(new)
        applied.withLock { $0.append(new) }
        return "done"
    }
}

/// A directory that goes away after `body`.
func withDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let directory = NSTemporaryDirectory() + "weft-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try await body(directory)
}

/// A thread that can be waited for.
final class BlockingThread: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        Thread { [self] in
            body()
            done.signal()
        }.start()
    }

    func join() { done.wait() }
}

/// Captures a few bytes, as often as it is asked to.
final class FixedCaptures: CaptureProvider {
    private let asked = Mutex<[CaptureRequest]>([])
    /// What it was asked for.
    var requests: [CaptureRequest] { asked.withLock { $0 } }

    func startCapture(
        _ request: CaptureRequest
    ) throws -> (id: Int, pieces: AsyncStream<[UInt8]>) {
        asked.withLock { $0.append(request) }
        let pieces = AsyncStream { continuation in
            for piece in [[1, 2, 3], [], [4]] as [[UInt8]] { continuation.yield(piece) }
            continuation.finish()
        }
        return (7, pieces)
    }

    func captures() -> [CaptureStatus] {
        [CaptureStatus(id: 7, request: CaptureRequest(), seconds: 1, captured: 2, lost: 3)]
    }

    func endCapture(_ id: Int) -> Bool { id == 7 }
}
