import ArgumentParser
import ControlAPI
import Dispatch
import Glibc
import Synchronization

/// `weft capture`: packets as they pass.
struct CaptureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Show packets at ports, on the underlay, or where they are dropped.",
        usage: "weft capture [--port NAME | --underlay] [--network NAME] [--drops] [-w FILE] "
            + "[-c N] [-s BYTES] [FILTER ...]",
        discussion: """
            Without a place, what passes all ports. FILTER is libpcap's language (pcap-filter(7)). \
            Each packet is shown on a line by tcpdump, with the port, the direction (`in` is from \
            the port's device or the peer to Weft) and, if it was dropped, why. With -w it goes to \
            a pcapng file instead, - is standard output. A superframe is one packet.

            Ends after -c packets or by Ctrl-C, and says what was lost because it was read too \
            slowly: forwarding never waits for it.

            Examples:
              weft capture --port vm1 icmp
              weft capture --network blue -w - tcp port 443 | wireshark -k -i -
              weft capture --underlay -w tunnel.pcapng host 192.0.2.12
              weft capture --drops
              weft capture --drops -w - | tshark -r - -T fields -e frame.interface_name \
            -e frame.comment

            Exit codes: 0 it ended as it should; 1 weftd refused or went away, or the file cannot \
            be written; 64 the command line or the filter is wrong.
            """)

    @OptionGroup var daemon: SocketOptions
    @Option(help: "Only at this port.") var port: String?
    @Option(help: "Only of this network.") var network: String?
    @Flag(help: "Datagrams from and to peers; their headers up to UDP are reconstructed.")
    var underlay = false
    @Flag(help: "What is dropped there; without a place, everywhere.") var drops = false
    @Option(
        name: .customShort("w"),
        help: ArgumentHelp("Write pcapng to this file; - is standard output.", valueName: "file"))
    var file: String?
    @Option(
        name: .customShort("c"), help: ArgumentHelp("End after so many packets.", valueName: "n"))
    var count: Int?
    @Option(
        name: .customShort("s"),
        help: ArgumentHelp("Keep so many bytes of each packet.", valueName: "bytes"))
    var snapLength: Int?
    @Option(
        name: .customShort("B"),
        help: ArgumentHelp(
            "Room for packets on their way here, per worker; 4096 by default.", valueName: "kib"))
    var buffer: Int?
    @Flag(name: .customShort("e"), help: "Show the Ethernet header too.")
    var showsEthernet = false
    @Argument(help: "Which packets, in the language of pcap-filter(7).") var filter: [String] = []

    func validate() throws {
        guard port == nil || !underlay else {
            throw ValidationError("--port and --underlay exclude each other")
        }
        guard file != "-" || isatty(STDOUT_FILENO) == 0 else {
            throw ValidationError("-w - writes bytes, which a terminal does not show: pipe them")
        }
    }

    func run() throws {
        let request = try request()
        // A reader that goes away ends the capture, not the program.
        signal(SIGPIPE, SIG_IGN)
        let sink = try sink()
        let client = daemon.client
        var stream: ReplyStream
        do {
            stream = try client.stream("POST", "/v1/captures", body: try JSON.encode(request))
        } catch {
            sink.finish()
            throw error
        }
        let path = stream.headers["location"] ?? ""
        let interruption = CaptureInterruption { _ = try? client.request("DELETE", path) }
        complain("capturing\(request.expression.map { " `\($0)`" } ?? ""); Ctrl-C ends it")
        var reader = PcapngReader()
        defer {
            sink.finish()
            complain(
                "\(reader.packetCount) packets captured, \(reader.lostCount) dropped by weft")
        }
        var isRead = true
        try withExtendedLifetime(interruption) {
            while let chunk = try next(&stream) {
                try reader.take(chunk) { block, kind in
                    guard isRead else { return }
                    isRead = try sink.write(block, kind)
                    if !isRead { interruption.end() }
                }
            }
        }
    }

    /// The next piece of the stream.
    private func next(_ stream: inout ReplyStream) throws -> [UInt8]? {
        do {
            return try stream.next()
        } catch ControlError.malformedReply, ControlError.system {
            throw ControlError.notRunning(socket: daemon.socket, reason: "it has ended; it was on")
        }
    }

    private func request() throws -> CaptureRequest {
        var request = CaptureRequest()
        request.port = port
        request.network = network
        request.underlay = underlay
        request.drops = drops
        request.count = count
        request.snapLength = snapLength
        request.bufferKiB = buffer
        if !filter.isEmpty {
            let expression = filter.joined(separator: " ")
            request.expression = expression
            do {
                request.filter = try FilterCompiler().program(expression, snapLength: 262_144)
            } catch {
                throw ValidationError("\(error)")
            }
        }
        return request
    }

    private func sink() throws -> any CaptureSink {
        guard let file else { return try PacketPrinter(showsEthernet: showsEthernet) }
        guard file != "-" else { return FileSink(STDOUT_FILENO, name: "standard output") }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CaptureProblem("\(file): \(String(cString: strerror(errno)))")
        }
        return FileSink(descriptor, name: file)
    }

    private func complain(_ message: String) {
        let line = Array("weft: \(message)\n".utf8)
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// What stands in a capture's way on this side.
struct CaptureProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Ends a capture at the first SIGINT or SIGTERM, by asking the daemon: so all that it has, and
/// the statistics, still come. The second one ends the program.
private final class CaptureInterruption {
    private let sources: [any DispatchSourceSignal]
    private let once: Once

    private final class Once: Sendable {
        private let isDone = Atomic<Bool>(false)
        private let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }

        /// False if it was called before.
        @discardableResult
        func call() -> Bool {
            guard !isDone.exchange(true, ordering: .acquiringAndReleasing) else { return false }
            body()
            return true
        }
    }

    init(_ body: @escaping @Sendable () -> Void) {
        let once = Once(body)
        self.once = once
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { if !once.call() { _exit(128 + number) } }
            source.resume()
            return source
        }
    }

    func end() { once.call() }
}
