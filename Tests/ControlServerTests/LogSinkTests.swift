import Foundation
import Glibc
import Logging
import Testing
import weftd

@Suite("Writing the log")
struct LogSinkTests {
    private let style = LogStyle(.text, isForJournal: true)

    private func pipe() throws -> (read: FileHandle, write: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        return (FileHandle(fileDescriptor: ends[0], closeOnDealloc: true), ends[1])
    }

    @Test("loggers write lines in their order, from their level on")
    func order() throws {
        let (read, write) = try pipe()
        let sink = LogSink(file: write, style: style, level: .notice)
        sink.start()
        let logger = Logger(label: "test") { _ in SinkLogHandler(sink) }
        logger.info("not this")
        logger.notice("one", metadata: ["a": "1"])
        sink.configure(style: LogStyle(.json, isForJournal: true), level: .info)
        var named = logger
        named[metadataKey: "port"] = "vm1"
        named.info("two")
        while !sink.flush() {}
        close(write)
        let text = String(decoding: read.readDataToEndOfFile(), as: UTF8.self)
        #expect(
            text == "<5>one a=1\n"
                + #"<6>{"level":"info","message":"two","port":"vm1"}"# + "\n")
    }

    @Test("what a place writes too often is left out, and told of at the end at the latest")
    func flood() throws {
        let (read, write) = try pipe()
        let sink = LogSink(file: write, style: style, level: .info)
        sink.start()
        let logger = Logger(label: "test") { _ in SinkLogHandler(sink) }
        for number in 0..<5000 { logger.warning("again \(number)") }
        while !sink.flush() {}
        close(write)
        let lines = String(decoding: read.readDataToEndOfFile(), as: UTF8.self)
            .split(separator: "\n")
        let leftOut = lines.filter { $0.contains("left out ") }
        let written = lines.count - leftOut.count
        #expect(written >= 200 && written < 5000)
        let counts = leftOut.compactMap { line in
            line.firstMatch(of: /leftOut=(\d+)/).flatMap { Int($0.1) }
        }
        #expect(written + counts.reduce(0, +) == 5000)
    }

    @Test("a log that nobody reads holds up nobody; what is lost is counted")
    func stuck() async throws {
        let (read, write) = try pipe()
        let sink = LogSink(file: write, style: style, level: .info)
        sink.start()
        let long = String(repeating: "x", count: 10_000)
        // Places of their own, so that none is left out: 4 MB, which neither pipe nor sink holds.
        let count = 400
        for number in 0..<count {
            sink.write(
                LogLine(.info, long), of: LogLimiter.Site(file: "f", line: UInt(number)))
        }
        // It came this far. Now somebody reads again.
        async let bytes = blocking { read.readDataToEndOfFile() }
        try await blocking {
            while !sink.flush() {}
            close(write)
        }
        let lines = String(decoding: try await bytes, as: UTF8.self).split(separator: "\n")
        let lost = lines.compactMap { line in
            line.firstMatch(of: /lost=(\d+)/).flatMap { Int($0.1) }
        }
        #expect(!lost.isEmpty)
        #expect(lines.count { $0.hasSuffix(long) } + lost.reduce(0, +) == count)
    }
}
