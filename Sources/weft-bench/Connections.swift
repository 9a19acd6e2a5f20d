import ArgumentParser
import CLinux
import FoundationEssentials
import Glibc
import Lab
import Wire

/// What `weft-bench connect` prints.
struct ConnectionsReport: Codable {
    /// Connections over which a request was answered.
    var completed = 0
    /// Those that ended otherwise.
    var failed = 0
    /// How long it took.
    var seconds = 0.0
}

/// A TCP request and its response: a byte each.
private let oneByte: [UInt8] = [0x2a]

/// `weft-bench accept`: answers a byte on each connection with a byte.
struct AcceptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: "Answer connect (used by run).", shouldDisplay: false)

    @Option(help: "The TCP port.")
    var port: UInt16
    @Option(help: "Ends after so many seconds, or at SIGTERM.")
    var seconds: Int

    func run() throws {
        Interruption.catchSignals()
        let listener = try InternetSocket(SOCK_STREAM, isBlocking: false)
        try listener.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try listener.bind(port: port)
        guard listen(listener.descriptor, 1024) == 0 else { throw BenchError.system("listen") }
        var sockets = PollSet()
        sockets.add(listener.descriptor, POLLIN)
        let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while !Interruption.isRequested, monotonicNanoseconds() < deadline {
            sockets.wait { descriptor, _ in
                guard descriptor == listener.descriptor else { return Self.answer(descriptor) }
                let connection = accept(descriptor, nil, nil)
                return connection < 0 ? .keep : .add(connection, POLLIN)
            }
        }
    }

    /// Answers a request, or closes a connection that has ended.
    private static func answer(_ connection: Int32) -> PollSet.Answer {
        var byte: UInt8 = 0
        guard recv(connection, &byte, 1, Int32(MSG_DONTWAIT)) == 1 else {
            close(connection)
            return .remove
        }
        send(connection, oneByte, 1, Int32(MSG_NOSIGNAL))
        return .keep
    }
}

/// `weft-bench connect`: connects, asks, hears the answer, resets; some at a time.
///
/// The reset leaves no TIME_WAIT behind: at these rates ports would run out within seconds.
struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "Count new connections (used by run).",
        shouldDisplay: false)

    @Argument(help: "The IPv4 address of accept.", transform: parseIPv4)
    var address: IPv4Address
    @Option(help: "Its TCP port.")
    var port: UInt16
    @Option(help: "How long.")
    var seconds: Int
    @Option(help: "How many connections are open at a time.")
    var concurrency = 16

    func run() throws {
        Interruption.catchSignals()
        var sockets = PollSet()
        var report = ConnectionsReport()
        let start = monotonicNanoseconds()
        let end = start + UInt64(seconds) * 1_000_000_000
        for _ in 0..<concurrency { sockets.add(try open(), POLLOUT) }
        while monotonicNanoseconds() < end, !Interruption.isRequested {
            try sockets.wait { descriptor, ready in
                if ready == POLLOUT {
                    send(descriptor, oneByte, 1, Int32(MSG_NOSIGNAL))
                    return .change(POLLIN)
                }
                var byte: UInt8 = 0
                if recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT)) == 1 {
                    report.completed += 1
                } else {
                    report.failed += 1
                }
                close(descriptor)
                return .replace(try open(), POLLOUT)
            }
        }
        report.seconds = Double(monotonicNanoseconds() - start) / 1e9
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    /// Begins a connection; it can be written to when it is there.
    private func open() throws -> Int32 {
        let connection = try InternetSocket(SOCK_STREAM, isBlocking: false)
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            connection.descriptor, SOL_SOCKET, SO_LINGER, &reset,
            socklen_t(MemoryLayout<linger>.size))
        try connection.connect(to: address, port: port)
        return connection.release()
    }
}

/// Sockets that are waited for: poll(2), for the few dozen that there are.
private struct PollSet {
    /// What becomes of a socket that was ready.
    enum Answer {
        case keep
        /// It waits for something else.
        case change(Int32)
        /// Another one in its place.
        case replace(Int32, Int32)
        /// One more.
        case add(Int32, Int32)
        case remove
    }

    private var sockets: [pollfd] = []

    mutating func add(_ descriptor: Int32, _ events: Int32) {
        sockets.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
    }

    /// Waits for up to 0.1 s and calls `body` with each socket that is ready, and its events.
    mutating func wait(_ body: (Int32, Int32) throws -> Answer) rethrows {
        guard poll(&sockets, nfds_t(sockets.count), 100) > 0 else { return }
        // Backwards: what is removed or added does not move those that are still to be seen.
        for index in sockets.indices.reversed() where sockets[index].revents != 0 {
            let socket = sockets[index]
            switch try body(socket.fd, Int32(socket.revents)) {
            case .keep: break
            case .change(let events): sockets[index].events = Int16(events)
            case .replace(let other, let events):
                sockets[index] = pollfd(fd: other, events: Int16(events), revents: 0)
            case .add(let other, let events): add(other, events)
            case .remove: sockets.remove(at: index)
            }
        }
    }
}
