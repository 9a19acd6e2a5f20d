/// A program to run to its end, found on PATH.
public struct Command: Sendable {
    /// The program and its arguments.
    public var arguments: [String]
    /// What it reads on its standard input; nothing if nil.
    public var input: String?
    /// How long it may take before it and all it started are killed.
    public var timeout: Duration

    /// A command; ten seconds is far beyond what setting up a device takes.
    public init(_ arguments: [String], input: String? = nil, timeout: Duration = .seconds(10)) {
        self.arguments = arguments
        self.input = input
        self.timeout = timeout
    }

    /// The same command within a network namespace.
    public func inside(_ namespace: NetworkNamespace) -> Command {
        Command(
            ["ip", "netns", "exec", namespace.name] + arguments, input: input, timeout: timeout)
    }

    var line: String { arguments.joined(separator: " ") }
}

/// How a command ended and what it said.
public struct CommandResult: Sendable, Equatable {
    /// Its exit status; 128 plus the signal's number if a signal ended it.
    public var status: Int32
    /// Whether it was killed because its time was over.
    public var timedOut: Bool
    /// All it wrote on its standard output.
    public var stdout: String
    /// All it wrote on its standard error.
    public var stderr: String

    package init(status: Int32, timedOut: Bool, stdout: String, stderr: String) {
        self.status = status
        self.timedOut = timedOut
        self.stdout = stdout
        self.stderr = stderr
    }

    /// Exit status 0, in time.
    public var succeeded: Bool { status == 0 && !timedOut }
}

extension Command {
    /// Runs the command and waits for its end, whatever its status.
    public func run() throws -> CommandResult {
        try Command.run(all: [self])[0]
    }

    /// Runs the command; throws unless its status is 0. Returns its standard output.
    @discardableResult
    public func check() throws -> String {
        try checked(run())
    }

    /// The same while an interruption is pending: tear-down's own commands run to their end.
    func checkDespiteInterruption() throws {
        _ = try checked(Command.run(all: [self], interruptible: false)[0])
    }

    private func checked(_ result: CommandResult) throws -> String {
        guard result.succeeded else {
            throw LabError.commandFailed(
                line, status: result.status,
                output: result.timedOut
                    ? "timed out after \(timeout)"
                    : (result.stderr.isEmpty ? result.stdout : result.stderr))
        }
        return result.stdout
    }
}
