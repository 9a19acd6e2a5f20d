import ArgumentParser
import CLinux
import FoundationEssentials
import Glibc
import Lab
import Wire

/// What `weft-bench send-datagrams` and `receive-datagrams` print.
struct BulkDatagrams: Codable {
    /// Bytes of a datagram.
    static let size = 1400
    /// Datagrams of one send; with headers it stays below 64 KiB.
    static let segments = 45

    /// Bytes of payload that were sent, or arrived.
    var bytes = 0
    /// How long sending took; 0 for a receiver.
    var seconds = 0.0
}

/// `weft-bench send-datagrams`: one flow of datagrams, 45 of them to a system call.
struct SendDatagramsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send-datagrams", abstract: "Send datagrams by USO (used by run).",
        shouldDisplay: false)

    @Argument(help: "The receiver's IPv4 address.", transform: parseIPv4)
    var address: IPv4Address
    @Option(help: "Its UDP port.")
    var port: UInt16
    @Option(help: "How long.")
    var seconds: Int

    func run() throws {
        Interruption.catchSignals()
        let socket = try InternetSocket(SOCK_DGRAM)
        try socket.set(SOL_UDP, UDP_SEGMENT, Int32(BulkDatagrams.size))
        try socket.connect(to: address, port: port)
        let length = BulkDatagrams.size * BulkDatagrams.segments
        let payload = [UInt8](repeating: 0x5a, count: length)
        var report = BulkDatagrams()
        let start = monotonicNanoseconds()
        let end = start + UInt64(seconds) * 1_000_000_000
        while monotonicNanoseconds() < end, !Interruption.isRequested {
            let count = send(socket.descriptor, payload, length, 0)
            if count > 0 {
                report.bytes += count
            } else if errno != ENOBUFS, errno != EINTR {
                // A full queue is loss that the device reports; the next send may fit.
                throw BenchError.system("send")
            }
        }
        report.seconds = Double(monotonicNanoseconds() - start) / 1e9
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }
}

/// `weft-bench receive-datagrams`: counts bytes until SIGTERM.
struct ReceiveDatagramsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive-datagrams", abstract: "Count datagrams' bytes (used by run).",
        shouldDisplay: false)

    @Option(help: "The UDP port.")
    var port: UInt16
    @Option(help: "Ends after so many seconds, or at SIGTERM.")
    var seconds: Int

    func run() throws {
        Interruption.catchSignals()
        let socket = try InternetSocket(SOCK_DGRAM)
        try socket.set(SOL_UDP, UDP_GRO, 1)
        // As iperf3's socket: what the machine gives by default, so that both variants compare.
        try socket.bind(port: port)
        try socket.setPatience(milliseconds: 100)
        print("ready")
        fflush(nil)
        var report = BulkDatagrams()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while !Interruption.isRequested, monotonicNanoseconds() < deadline {
            let count = recv(socket.descriptor, &buffer, buffer.count, 0)
            if count > 0 { report.bytes += count }
        }
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }
}
