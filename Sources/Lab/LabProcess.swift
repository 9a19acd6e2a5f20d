import Glibc

/// A program that runs as long as the lab, or until it is stopped.
public final class LabProcess {
    /// What it is called in the lab, and its log file.
    public let name: String
    /// Where its standard output and error go.
    public let logPath: String
    /// Its process identifier.
    public var pid: Int32 { record.pid }

    let record: ProcessRecord

    init(
        name: String, arguments: [String], logPath: String, inheriting: [Int32] = []
    ) throws {
        self.name = name
        self.logPath = logPath
        let log = open(logPath, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else { throw LabError.system(call: "open \(logPath)", code: errno) }
        defer { close(log) }
        record = ProcessRecord(
            pid: try startProgram(
                arguments, output: log, errors: log, inheriting: inheriting), name: name)
    }

    /// Whether it still runs.
    public var isRunning: Bool { record.isAlive }

    /// Asks it to end (SIGTERM), waits for up to `patience`, then kills it and what it started.
    public func stop(patience: Duration = .seconds(3)) {
        ProcessRecord.end([record], patience: patience)
    }

    /// Sends it a signal, for example SIGHUP or SIGKILL.
    public func signal(_ number: Int32) {
        if record.isAlive { kill(pid, number) }
    }

    /// The last lines of its log, without the line break at the end.
    public func logTail(lines: Int = 20) -> String {
        guard let text = try? readFile(logPath) else { return "" }
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }
}

/// A process as a later process can recognise it: a pid alone may have passed to somebody else.
package struct ProcessRecord: Codable, Equatable {
    var pid: Int32
    /// When it started, in clock ticks since boot (proc(5), stat, field 22).
    var startTime: UInt64
    var name: String

    /// Describes a process that runs now.
    init(pid: Int32, name: String) {
        self.pid = pid
        self.name = name
        startTime = Self.status(of: pid)?.startTime ?? 0
    }

    /// Whether that very process still runs.
    var isAlive: Bool {
        guard let status = Self.status(of: pid), status.startTime == startTime else {
            return false
        }
        guard status.state == "Z" else { return true }
        waitpid(pid, nil, WNOHANG)  // Lets go of it if it was a child of ours.
        return false
    }

    /// Ends processes and the groups they lead: politely, then, after `patience`, for certain.
    static func end(_ records: [ProcessRecord], patience: Duration) {
        for record in records where record.isAlive { kill(-record.pid, SIGTERM) }
        let deadline = ContinuousClock.now + patience
        while records.contains(where: \.isAlive), ContinuousClock.now < deadline { usleep(5000) }
        for record in records where record.isAlive {
            kill(-record.pid, SIGKILL)
            while record.isAlive { usleep(1000) }
        }
    }

    private static func status(of pid: Int32) -> (state: Substring, startTime: UInt64)? {
        guard let text = try? readFile("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")")
        else { return nil }
        // After the name in parentheses, which may hold anything: field 3 is the state.
        let fields = text[name...].split(separator: " ").dropFirst()
        guard fields.count > 19, let start = UInt64(fields[fields.startIndex + 19]) else {
            return nil
        }
        return (fields[fields.startIndex], start)
    }
}
