import CLinux
import Glibc

extension Command {
    /// Runs all at the same time and waits for the last; results are in the order of the commands.
    ///
    /// One thread serves them all, so a hundred pings cost a hundred processes but no threads.
    /// What a command leaves running in the background is killed when it ends.
    public static func run(all commands: [Command]) throws -> [CommandResult] {
        try run(all: commands, interruptible: true)
    }

    static func run(all commands: [Command], interruptible: Bool) throws -> [CommandResult] {
        var children: [RunningChild] = []
        defer { for child in children { child.abandon() } }
        for command in commands {
            if interruptible { try Interruption.check() }
            children.append(try RunningChild(command))
        }
        while children.contains(where: { !$0.isFinished }) {
            if interruptible { try Interruption.check() }
            waitForOutput(of: children)
            for child in children where !child.isFinished { child.advance() }
        }
        return children.map(\.result)
    }

    /// Sleeps until a child said something or went away, but no longer than 20 ms: there is no
    /// event for the end of a child that closed its output before it, nor for a deadline.
    private static func waitForOutput(of children: [RunningChild]) {
        var waits: [pollfd] = []
        var closing = false
        for child in children where !child.isFinished {
            let open = child.openPipes
            if open.isEmpty { closing = true }
            waits += open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        }
        poll(&waits, nfds_t(waits.count), closing ? 1 : 20)
    }
}

/// A child process whose output is collected.
private final class RunningChild {
    private let command: Command
    private let pid: pid_t
    private let deadline: ContinuousClock.Instant
    private var output: Collector
    private var errors: Collector
    private var status: Int32?
    private var timedOut = false

    init(_ command: Command) throws {
        self.command = command
        output = try Collector()
        errors = try Collector()
        let input = try command.input.map(RunningChild.file(holding:))
        defer { if let input { close(input) } }
        do {
            pid = try startProgram(
                command.arguments, input: input, output: output.writeEnd, errors: errors.writeEnd)
        } catch {
            output.closeBoth()
            errors.closeBoth()
            throw error
        }
        output.closeWriteEnd()
        errors.closeWriteEnd()
        deadline = .now + command.timeout
    }

    var isFinished: Bool { status != nil }

    var openPipes: [Int32] { [output.readEnd, errors.readEnd].compactMap { $0 } }

    var result: CommandResult {
        CommandResult(
            status: status ?? -1, timedOut: timedOut, stdout: output.text, stderr: errors.text)
    }

    /// Takes what there is to read; notices the child's end and its deadline.
    func advance() {
        output.read()
        errors.read()
        if ContinuousClock.now > deadline, !timedOut {
            timedOut = true
            kill(-pid, SIGKILL)
        }
        reap(options: WNOHANG)
    }

    /// Ends a child that nobody waits for any more.
    func abandon() {
        if status == nil {
            kill(-pid, SIGKILL)
            reap(options: 0)
        }
        output.closeBoth()
        errors.closeBoth()
    }

    private func reap(options: Int32) {
        // Looks before it reaps: until then the pid, and the group of that number, are its own.
        var ended = siginfo_t()
        waitid(P_PID, id_t(pid), &ended, WEXITED | WNOWAIT | options)
        guard ended.si_signo == SIGCHLD else { return }
        kill(-pid, SIGKILL)
        var raw: Int32 = 0
        guard waitpid(pid, &raw, 0) == pid else { return }
        let signal = raw & 0x7f
        status = signal == 0 ? raw >> 8 & 0xff : 128 + signal
        // What it wrote last.
        output.read()
        errors.read()
    }

    private static func file(holding text: String) throws -> Int32 {
        let file = weft_anonymous_file()
        guard file >= 0 else { throw LabError.system(call: "memfd_create", code: errno) }
        do {
            try writeAll(file, Array(text.utf8))
        } catch {
            close(file)
            throw error
        }
        lseek(file, 0, SEEK_SET)
        return file
    }
}

/// Reads one output stream of a child through a pipe.
private struct Collector {
    private(set) var readEnd: Int32?
    private(set) var writeEnd: Int32
    private var bytes: [UInt8] = []

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard weft_pipe(&ends) == 0 else { throw LabError.system(call: "pipe2", code: errno) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func read() {
        var chunk = [UInt8](repeating: 0, count: 16384)
        while let end = readEnd {
            let count = Glibc.read(end, &chunk, chunk.count)
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 {
                close(end)
                readEnd = nil
            } else {
                return
            }
        }
    }

    mutating func closeWriteEnd() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    mutating func closeBoth() {
        closeWriteEnd()
        if let readEnd { close(readEnd) }
        readEnd = nil
    }
}
