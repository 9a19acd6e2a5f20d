import ArgumentParser
import BenchSupport
import CLinux
import FoundationEssentials
import Glibc
import Lab
import Wire

/// What `weft-bench ping-pong` prints; times in microseconds.
struct PingPongReport: Codable {
    var p50: Double
    var p99: Double
    var p999: Double
    var max: Double
    /// Those that came back, the first tenth of a second included.
    var roundTrips: Int
    /// Requests without an answer within the time that a receive waits.
    var lost: Int
}

/// `weft-bench echo`: sends each UDP datagram back to where it came from.
struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "Answer ping-pong (used by run).", shouldDisplay: false)

    @Option(help: "The UDP port.")
    var port: UInt16
    @Option(help: "Ends after so many seconds, or at SIGTERM.")
    var seconds: Int

    func run() throws {
        Interruption.catchSignals()
        let socket = try UDPSocket()
        try socket.bind(port: port)
        print("ready")
        fflush(nil)
        let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while !Interruption.isRequested, monotonicNanoseconds() < deadline {
            socket.echoOne()
        }
    }
}

/// `weft-bench ping-pong`: a request, its answer, the next request.
struct PingPongCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping-pong", abstract: "Measure round trips (used by run).",
        shouldDisplay: false)

    /// Not recorded: neighbours are looked up, caches warm up.
    private static let warmUp: UInt64 = 100_000_000

    @Argument(help: "The IPv4 address of echo.", transform: parseIPv4)
    var address: IPv4Address
    @Option(help: "The UDP port.")
    var port: UInt16
    @Option(help: "How long.")
    var seconds: Int

    func run() throws {
        Interruption.catchSignals()
        let socket = try UDPSocket()
        try socket.connect(to: address, port: port)
        var histogram = Histogram()
        var (sequence, answered, lost): (UInt64, Int, Int) = (0, 0, 0)
        let start = monotonicNanoseconds()
        let end = start + UInt64(seconds) * 1_000_000_000
        var now = start
        while now < end, !Interruption.isRequested {
            sequence += 1
            let sent = now
            let isAnswered = socket.ask(sequence)
            now = monotonicNanoseconds()
            guard isAnswered else {
                lost += 1
                continue
            }
            answered += 1
            if sent >= start + Self.warmUp { histogram.record(now - sent) }
        }
        let time = { (quantile: Double) throws -> Double in
            guard let value = histogram.value(atQuantile: quantile) else {
                throw BenchError("no request was answered, of \(sequence)")
            }
            return Double(value) / 1000
        }
        let report = PingPongReport(
            p50: try time(0.5), p99: try time(0.99), p999: try time(0.999), max: try time(1),
            roundTrips: answered, lost: lost)
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }
}

/// Reads an address of the command line.
func parseIPv4(_ text: String) throws -> IPv4Address {
    guard let address = IPv4Address(text) else { throw ValidationError("no address: \(text)") }
    return address
}

/// A UDP socket whose receives wait for a fifth of a second.
private struct UDPSocket: ~Copyable {
    /// What a question and its answer are: a sequence number, the rest zeros.
    private static let messageLength = 16

    private let socket: InternetSocket

    init() throws {
        let socket = try InternetSocket(SOCK_DGRAM)
        try socket.setPatience(milliseconds: 200)
        self.socket = socket
    }

    func bind(port: UInt16) throws { try socket.bind(port: port) }

    func connect(to address: IPv4Address, port: UInt16) throws {
        try socket.connect(to: address, port: port)
    }

    /// Sends a question and waits for its answer; whether that came in time. Late answers to
    /// earlier questions are passed over.
    func ask(_ sequence: UInt64) -> Bool {
        var message: (UInt64, UInt64) = (sequence, 0)
        guard send(socket.descriptor, &message, Self.messageLength, 0) == Self.messageLength else {
            // What was said about an earlier one, for example that nobody listens.
            usleep(1000)
            return false
        }
        // As many late answers as there can be: one per earlier question.
        for _ in 0..<sequence {
            guard recv(socket.descriptor, &message, Self.messageLength, 0) == Self.messageLength
            else {
                return false
            }
            if message.0 == sequence { return true }
        }
        return false
    }

    /// Sends one datagram back, or returns when none comes.
    func echoOne() {
        var message: (UInt64, UInt64) = (0, 0)
        var sender = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &sender) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { sender in
                let count = recvfrom(
                    socket.descriptor, &message, Self.messageLength, 0, sender, &length)
                if count > 0 { sendto(socket.descriptor, &message, count, 0, sender, length) }
            }
        }
    }
}
