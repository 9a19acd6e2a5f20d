import ArgumentParser
import CLinux
import Catalog
import ControlAPI
import Datapath
import Dispatch
import Foundation
import Glibc
import Logging
import Synchronization

/// The daemon of one host.
@main
struct Weftd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weftd",
        abstract: "Carry this host's share of the overlay networks.",
        discussion: """
            Terminates unicast VXLAN, switches between the host's ports and its peers, and answers \
            on a Unix socket. weft.yaml(5), made from docs/configuration.md, describes the file.

            SIGHUP has it read the file again: networks, ports and peers change while traffic \
            goes on. A file that is wrong, or that changes anything else, changes nothing. What is \
            set through the API is kept in a file of its own, and goes before what the file says.

            Ends with 0 after SIGTERM or SIGINT, 2 if the configuration is wrong, 1 if the host \
            does not offer what is needed.
            """,
        version: Release.version)

    @Option(name: .customLong("config"), help: "The configuration file.")
    var file = "/etc/weft/weft.yaml"

    @Flag(
        name: .customLong("check"),
        help: "Only validate the configuration, beside what is set through the API.")
    var checksOnly = false

    @Option(help: "The control API's socket, instead of the configuration's.")
    var socket: String?

    @Option(
        help: "Where to keep what is set through the API, instead of the configuration's place.")
    var state: String?

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error.")
    var logLevel: String?

    @Option(
        name: .customLong("log-format"), help: "text or json, instead of the configuration's.")
    var logFormat: LogStyle.Format?

    @Argument(help: .hidden)
    var checkedFile: String?

    func run() throws {
        let path = checkedFile ?? file
        if checksOnly {
            let (state, logger) = (state, Logger(label: "weftd") { _ in SwiftLogNoOpLogHandler() })
            let isRight: Bool? = orComplain {
                try StartingState.check(file: path, statePath: state, logger: logger)
                return true
            }
            guard isRight == true else { throw ExitCode(2) }
            print("\(path): valid")
            return
        }
        let sink = LogSink(
            style: style, level: logLevel.flatMap { Logger.Level(rawValue: $0) } ?? .info)
        defer { sink.flush() }
        LoggingSystem.bootstrap { _ in SinkLogHandler(sink) }
        let state = state
        let start = orComplain {
            try StartingState(file: path, statePath: state, logger: Logger(label: "weftd"))
        }
        guard let start else { throw ExitCode(2) }
        configure(sink, start.configuration.log)
        let logger = Logger(label: "weftd")
        // Before any thread is started: they have what this one has, and none is interrupted.
        let control = start.configuration.control
        let group = control.group.flatMap(SocketPlace.group(named:)) ?? SocketPlace.defaultGroup
        let capabilities = Privileges.reduce(group: group)
        sink.start()
        let signals = SignalWaiter([SIGTERM, SIGINT, SIGHUP])
        do {
            try waitFor { try await serve(start, signals, capabilities, logger) }
        } catch {
            sink.flush()
            complain("\(error)")
            throw ExitCode(1)
        }
    }

    /// Swift's threads begin here, not with the process: see `Privileges`.
    private func waitFor(_ body: @escaping @Sendable () async throws -> Void) throws {
        let outcome = Mutex<Result<Void, any Error>>(.success(()))
        let ended = DispatchSemaphore(value: 0)
        Task {
            do {
                try await body()
            } catch {
                outcome.withLock { $0 = .failure(error) }
            }
            ended.signal()
        }
        ended.wait()
        try outcome.withLock { try $0.get() }
    }

    /// How lines look as long as no configuration is known.
    private var style: LogStyle {
        LogStyle(
            logFormat ?? .text,
            isForJournal: LogStyle.journalReadsStandardError(ProcessInfo.processInfo.environment))
    }

    /// What the options leave open is as configured.
    private func configure(_ sink: LogSink, _ log: Configuration.Log) {
        var style = style
        style.format = logFormat ?? LogStyle.Format(rawValue: log.format.rawValue) ?? .text
        let level = (logLevel ?? log.level.rawValue)
        sink.configure(style: style, level: Logger.Level(rawValue: level) ?? .info)
    }

    private func orComplain<Value>(_ body: () throws -> Value) -> Value? {
        do {
            return try body()
        } catch {
            complain("\(error)")
            return nil
        }
    }

    private func serve(
        _ start: StartingState, _ signals: SignalWaiter, _ capabilities: [String],
        _ logger: Logger
    ) async throws {
        let configuration = start.configuration
        let environment = ProcessInfo.processInfo.environment
        let manager = ServiceManager(environment)
        let path = socket ?? configuration.control.socket
        let handover = Handover(
            store: manager?.descriptorStore(environment), learnedPath: path + ".learned")
        let datapath = try Datapath(configuration, handover: handover, logger: logger)
        defer { datapath.stop() }
        logger.info("capabilities: \(capabilities.joined(separator: " "))")
        let state = DesiredState(
            start, follower: datapath, events: datapath.events, logger: logger)
        let server = ControlServer(
            socket: path, mode: configuration.control.mode,
            group: configuration.control.group,
            routes: controlRoutes(state, datapath, datapath.events) + captureRoutes(datapath),
            logger: logger,
            whenReady: { manager?.ready(datapath.summary) })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            tasks.addTask {
                var number = await signals.next()
                while number == SIGHUP {
                    manager?.reloading()
                    await state.reload()
                    manager?.ready(datapath.summary)
                    number = await signals.next()
                }
                guard number != 0 else { return }
                manager?.stopping()
                logger.notice("stopping", metadata: ["signal": "\(number)"])
            }
            if let manager, let interval = manager.watchdogInterval {
                tasks.addTask {
                    while true {
                        datapath.awaitProgress()
                        manager.alive()
                        try await Task.sleep(for: interval)
                    }
                }
            }
            // The server ends only with an error, a signal with success.
            try await tasks.next()
            tasks.cancelAll()
        }
    }

    private func complain(_ message: String) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        FileHandle.standardError.write(Data(style.complaint(message, at: time)))
    }
}

/// Waits for one of some signals, which no longer interrupt anything.
final class SignalWaiter: @unchecked Sendable {
    private let stream: AsyncStream<Int32>
    private let sources: [any DispatchSourceSignal]

    init(_ numbers: [Int32]) {
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        self.stream = stream
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }

    func next() async -> Int32 {
        for await number in stream { return number }
        return 0
    }
}

extension Datapath: StateFollower, TableProvider, TraceProvider {}

extension LogStyle.Format: ExpressibleByArgument {}
