import ArgumentParser
import BenchSupport
import CLinux
import FoundationEssentials
import Glibc
import Lab
import Wire

/// What `weft-bench generate` prints.
struct GeneratorReport: Codable {
    /// Sequence numbers used: frames that the device took, and those that it refused.
    var offered: Int
    /// Those that it refused, which counts as loss.
    var refused: Int
    /// From the first frame to the last.
    var seconds: Double
}

/// `weft-bench generate`: numbered 64-byte frames of one flow at a steady rate.
///
/// It sleeps between bursts instead of spinning: on a machine with as few CPUs as a lab's, a
/// spinning generator would take a whole one from the system that it is to measure.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Send numbered frames (used by run).",
        shouldDisplay: false)

    @Option(parsing: .upToNextOption, help: "IPv4 address and MAC of the sender.")
    var from: [String]
    @Option(parsing: .upToNextOption, help: "IPv4 address and MAC of the receiver.")
    var to: [String]
    @Option(help: "Frames per second.")
    var rate: Int
    @Option(help: "How many.")
    var frames: Int
    @Option(name: .customLong("run"), help: "The number of the run, which the sink knows too.")
    var number: UInt32
    @Option(help: "Ends after so many seconds, even with frames left.")
    var limit: Int

    func validate() throws {
        guard (1...10_000_000).contains(rate), (1...600_000_000).contains(frames),
            (1...600).contains(limit)
        else { throw ValidationError("--rate, --frames or --limit out of range") }
    }

    func run() throws {
        Interruption.catchSignals()
        let frame = ProbeFrame(
            from: try end(from, port: 49152), to: try end(to, port: 9), run: number)
        var sender = try BurstSender(frame, interface: "eth0")
        let report = sender.send(frames, rate: rate, limit: limit)
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    private func end(_ words: [String], port: UInt16) throws -> ProbeFrame.End {
        guard words.count == 2, let mac = MACAddress(words[1]) else {
            throw ValidationError("an IPv4 address and a MAC are needed, not \(words)")
        }
        return ProbeFrame.End(mac: mac.bits, address: try parseIPv4(words[0]).bits, port: port)
    }
}

/// Sends frames in bursts of one system call each, through a packet socket.
private struct BurstSender: ~Copyable {
    /// Frames to a burst, at most.
    private static let capacity = 64
    /// Nanoseconds between bursts, where the rate is below `capacity` in that time.
    private static let interval = 50_000

    private let frame: ProbeFrame
    private let socket: Int32
    private let bytes: UnsafeMutableRawBufferPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let messages: UnsafeMutablePointer<weft_message>
    private var offered = 0
    private var refused = 0

    init(_ frame: ProbeFrame, interface: String) throws {
        self.frame = frame
        socket = try openPacketSocket(interface: interface, receives: false)
        let length = ProbeFrame.length
        bytes = .allocate(byteCount: Self.capacity * length, alignment: 64)
        vectors = .allocate(capacity: Self.capacity)
        messages = .allocate(capacity: Self.capacity)
        for index in 0..<Self.capacity {
            let place = UnsafeMutableRawBufferPointer(
                rebasing: bytes[index * length..<(index + 1) * length])
            place.copyBytes(from: frame.template)
            vectors[index] = iovec(iov_base: place.baseAddress, iov_len: length)
            var message = weft_message()
            message.header.msg_iov = vectors + index
            message.header.msg_iovlen = 1
            messages[index] = message
        }
    }

    deinit {
        close(socket)
        bytes.deallocate()
        vectors.deallocate()
        messages.deallocate()
    }

    /// Sends `total` frames, each when its time has come. A sender that was kept from sending
    /// catches up, in bursts as large as they may be.
    mutating func send(_ total: Int, rate: Int, limit: Int) -> GeneratorReport {
        weft_precise_sleep()
        let burst = min(max(1, rate * Self.interval / 1_000_000_000), Self.capacity)
        let start = monotonicNanoseconds()
        let deadline = start + UInt64(limit) * 1_000_000_000
        var now = start
        while offered < total, now < deadline, !Interruption.isRequested {
            // The first frame is due at once.
            let due = min(total, 1 + Int(now - start) * rate / 1_000_000_000) - offered
            if due >= min(burst, total - offered) {
                sendBurst(min(due, Self.capacity))
            } else {
                let next = min(offered + burst, total) - 1
                sleepUntil(start + UInt64(next) * 1_000_000_000 / UInt64(rate) + 1)
            }
            now = monotonicNanoseconds()
        }
        // A rate is of intervals: the last frame's belongs to it.
        let seconds = max(Double(now - start) / 1e9, Double(offered) / Double(rate))
        return GeneratorReport(offered: offered, refused: refused, seconds: seconds)
    }

    private mutating func sendBurst(_ count: Int) {
        let length = ProbeFrame.length
        for index in 0..<count {
            frame.number(
                UInt32(offered + index),
                in: UnsafeMutableRawBufferPointer(
                    rebasing: bytes[index * length..<(index + 1) * length]))
        }
        var done = 0
        while done < count {
            let taken = weft_send_messages(socket, messages + done, UInt32(count - done))
            if taken > 0 {
                done += Int(taken)
            } else if taken != -EINTR || Interruption.isRequested {
                // The device's queue is full: this frame is lost, the next may fit.
                refused += 1
                done += 1
            }
        }
        offered += count
    }
}

/// A packet socket on an interface of this namespace.
func openPacketSocket(interface: String, receives: Bool) throws -> Int32 {
    let socket = socket(AF_PACKET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw BenchError.system("socket(AF_PACKET)") }
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_protocol = receives ? UInt16(ETH_P_ALL).bigEndian : 0
    address.sll_ifindex = Int32(if_nametoindex(interface))
    let failed = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(socket, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
        }
    }
    guard address.sll_ifindex > 0, failed == 0 else {
        let code = errno
        close(socket)
        throw BenchError.system("bind to \(interface)", code: code)
    }
    return socket
}
