import Glibc
import Synchronization

/// Where blocks of a capture go.
protocol CaptureSink {
    /// Takes a block; false if nobody reads it any more.
    func write(_ block: ArraySlice<UInt8>, _ kind: PcapngReader.Block) throws -> Bool
    /// Waits until all is where it belongs.
    func finish()
}

/// Writes everything; false if nobody reads it any more.
private func writeAll(_ bytes: ArraySlice<UInt8>, to file: Int32, _ name: String) throws -> Bool {
    var rest = bytes
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        if count >= 0 {
            rest = rest.dropFirst(count)
        } else if errno == EPIPE {
            return false
        } else if errno != EINTR {
            throw CaptureProblem("\(name): \(String(cString: strerror(errno)))")
        }
    }
    return true
}

/// A file, or a pipe.
struct FileSink: CaptureSink {
    private let descriptor: Int32
    private let name: String

    init(_ descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    func write(_ block: ArraySlice<UInt8>, _: PcapngReader.Block) throws -> Bool {
        try writeAll(block, to: descriptor, name)
    }

    func finish() { if descriptor != STDOUT_FILENO { close(descriptor) } }
}

// PacketPrinter: a line for each packet. tcpdump decodes it, which knows hundreds of protocols but
// neither interfaces nor comments; so it gets the stream as it is, and what it prints of each
// packet gets port, direction and reason in front.
//
//   blocks -----> tcpdump -r - -----> lines -----> standard output
//   packets ---> queue -------------------^  by their times

/// Prints packets with the help of tcpdump.
final class PacketPrinter: CaptureSink {
    private let program: pid_t
    private let input: Int32
    private let decoded: DecodedLines
    private let printing = CaptureThread()

    init(showsEthernet: Bool) throws {
        var toProgram: [Int32] = [0, 0]
        var fromProgram: [Int32] = [0, 0]
        guard pipe(&toProgram) == 0, pipe(&fromProgram) == 0 else {
            throw CaptureProblem("pipe: \(String(cString: strerror(errno)))")
        }
        // Its own ends only: tcpdump ends when nobody can write to it any more.
        for file in toProgram + fromProgram { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        let arguments = ["tcpdump", "-n", "-l", "-tt", "--nano"] + (showsEthernet ? ["-e"] : [])
        let result = Self.start(
            arguments + ["-r", "-"], input: toProgram[0], output: fromProgram[1])
        close(toProgram[0])
        close(fromProgram[1])
        guard case .success(let program) = result else {
            throw CaptureProblem(
                "packets are shown by tcpdump, which cannot be started: apt install tcpdump, or "
                    + "-w FILE")
        }
        self.program = program
        input = toProgram[1]
        decoded = DecodedLines(fromProgram[0])
        printing.start { [decoded] in decoded.print() }
    }

    func write(_ block: ArraySlice<UInt8>, _ kind: PcapngReader.Block) throws -> Bool {
        if case .packet(let packet) = kind { decoded.expect(packet) }
        return try writeAll(block, to: input, "tcpdump") && !decoded.isClosed
    }

    func finish() {
        close(input)
        printing.join()
        var status: Int32 = 0
        waitpid(program, &status, 0)
    }

    private struct Failure: Error {}

    /// In a process group of its own: Ctrl-C is not for it, it ends when there is no more.
    private static func start(
        _ arguments: [String], input: Int32, output: Int32
    ) -> Result<pid_t, Failure> {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for number in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&defaults, number) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        let refusal = posix_spawnp(
            &pid, arguments[0], &files, &attributes, &pointers, environ)
        return refusal == 0 ? .success(pid) : .failure(Failure())
    }
}

/// Lines that tcpdump prints, and the packets that they are of.
private final class DecodedLines: Sendable {
    private let output: Int32
    private let expected = Mutex<[PcapngReader.Packet]>([])
    private let closed = Atomic<Bool>(false)

    init(_ output: Int32) { self.output = output }

    /// Nobody reads standard output any more.
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    func expect(_ packet: PcapngReader.Packet) { expected.withLock { $0.append(packet) } }

    /// Until tcpdump says no more.
    func print() {
        var assembler = PacketLines()
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            // What a packet has to say may come in several lines, which become one.
            var event = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            if poll(&event, 1, assembler.isEmpty ? -1 : 20) == 0 {
                put(assembler.finish())
                continue
            }
            let count = read(output, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            put(assembler.take(bytes[..<count]) { takeExpected(startOf: $0) })
        }
        put(assembler.finish())
        close(output)
    }

    /// The packet whose first line this is, if it is one.
    private func takeExpected(startOf line: String) -> PcapngReader.Packet? {
        expected.withLock { expected in
            guard let first = expected.first, line.hasPrefix(PacketLines.stamp(first) + " ") else {
                return nil
            }
            return expected.removeFirst()
        }
    }

    private func put(_ text: String) {
        guard !text.isEmpty, !isClosed else { return }
        let isRead = (try? writeAll(Array(text.utf8)[...], to: STDOUT_FILENO, "output")) ?? false
        if !isRead { closed.store(true, ordering: .relaxed) }
    }
}

/// A thread that is waited for.
private final class CaptureThread {
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    private var thread = pthread_t()

    func start(_ body: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Body(body)).toOpaque()
        pthread_create(
            &thread, nil,
            { context in
                Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
    }

    func join() { pthread_join(thread, nil) }
}
