// LogSink: where all loggers of the daemon write to.
//
// Whoever logs only puts its line into memory; a thread of its own writes it. So a reader that does
// not keep up (a full pipe, a stopped journal, a slow disk) holds up nobody: what finds the memory
// full is lost, counted, and told of.

import CLinux
import Dispatch
import Foundation
import Glibc
package import Logging
import Synchronization

package final class LogSink: Sendable {
    private struct State {
        var style: LogStyle
        var level: Logger.Level
        var limiter = LogLimiter()
        var waiting: [UInt8] = []
        var lost = 0
        var isWriting = false
        var hasThread = false
    }

    /// Bytes that wait at most.
    package static let capacity = 1 << 20

    private let file: Int32
    private let state: Mutex<State>
    private let wakeUp = DispatchSemaphore(value: 0)

    /// Writes to `file`, once started, for as long as the process runs.
    package init(file: Int32 = STDERR_FILENO, style: LogStyle, level: Logger.Level) {
        self.file = file
        state = Mutex(State(style: style, level: level))
    }

    /// Starts the thread, which has the capabilities that its starter has by then. Until then lines
    /// wait.
    package func start() {
        state.withLock { $0.hasThread = true }
        let thread = Thread { [self] in run() }
        thread.name = "weft-log"
        thread.start()
        wakeUp.signal()
    }

    /// The least grave events that are written.
    package var level: Logger.Level { state.withLock { $0.level } }

    /// Has what is logged from now on look and be chosen so.
    package func configure(style: LogStyle, level: Logger.Level) {
        state.withLock {
            $0.style = style
            $0.level = level
        }
    }

    /// Takes a line of a place in the code. Never waits for whoever reads the log.
    package func write(_ line: LogLine, of site: LogLimiter.Site) {
        let hasNews = state.withLock { state in
            let (hadLines, wasHolding) = (!state.waiting.isEmpty, state.limiter.isHolding)
            guard state.limiter.admits(line, of: site, now: Self.now()) else { return !wasHolding }
            append(line, to: &state)
            return !hadLines
        }
        if hasNews { wakeUp.signal() }
    }

    /// Waits until all is written that was logged, a second at most: before the process ends.
    /// - Returns: whether all is.
    @discardableResult
    package func flush() -> Bool {
        state.withLock { state in
            for line in state.limiter.finish() { append(line, to: &state) }
        }
        guard state.withLock({ $0.hasThread }) else {
            write(take())
            state.withLock { $0.isWriting = false }
            return true
        }
        for _ in 0..<1000 {
            wakeUp.signal()
            let isDone = state.withLock { $0.waiting.isEmpty && $0.lost == 0 && !$0.isWriting }
            if isDone { return true }
            usleep(1000)
        }
        return false
    }

    private func append(_ line: LogLine, to state: inout State) {
        let bytes = line.bytes(state.style, at: Self.time())
        guard state.waiting.count + bytes.count <= Self.capacity else {
            state.lost += 1
            return
        }
        state.waiting += bytes
    }

    private func run() {
        while true {
            // What was left out has to be told of when nothing comes any more.
            let isHolding = state.withLock { $0.limiter.isHolding }
            _ = wakeUp.wait(timeout: isHolding ? .now() + .milliseconds(250) : .distantFuture)
            write(take())
            state.withLock { $0.isWriting = false }
        }
    }

    private func take() -> [UInt8] {
        state.withLock { state in
            for line in state.limiter.due(now: Self.now()) { append(line, to: &state) }
            var bytes: [UInt8] = []
            swap(&bytes, &state.waiting)
            if state.lost > 0 {
                let lost = state.lost
                state.lost = 0
                append(
                    LogLine(
                        .warning, "\(lost) lines were lost: the log was not read fast enough",
                        ["lost": "\(lost)"]), to: &state)
                // Behind what waited before them.
                bytes += state.waiting
                state.waiting = []
            }
            state.isWriting = !bytes.isEmpty
            return bytes
        }
    }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                var entry = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
            } else if errno != EINTR {
                // Nobody reads it any more.
                return
            }
        }
    }

    private static func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    private static func time() -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time
    }
}

/// Gives what is logged to a sink.
package struct SinkLogHandler: LogHandler {
    private let sink: LogSink
    private var ownLevel: Logger.Level?
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    package init(_ sink: LogSink) { self.sink = sink }

    /// The sink's, unless a logger was given one.
    package var logLevel: Logger.Level {
        get { ownLevel ?? sink.level }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var details = metadata
        details.merge(metadataProvider?.get() ?? [:]) { $1 }
        details.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error { details["error"] = "\(error)" }
        sink.write(
            LogLine(event.level, "\(event.message)", details),
            of: LogLimiter.Site(file: event.file, line: event.line))
    }
}
