import Glibc
import Logging
import Testing
import weftd

@Suite("Lines of the log")
struct LogLineTests {
    /// 2026-11-24 22:59:03.007 UTC.
    private let time = timespec(tv_sec: 1_795_561_143, tv_nsec: 7_999_999)
    private let terminal = LogStyle(.text, isForJournal: false)
    private let journal = LogStyle(.text, isForJournal: true)
    private let json = LogStyle(.json, isForJournal: false)

    private func text(_ line: LogLine, _ style: LogStyle) -> String {
        String(decoding: line.bytes(style, at: time), as: UTF8.self)
    }

    @Test("time, level, message, then details by name")
    func plain() {
        let line = LogLine(.notice, "stopping", ["signal": "15", "by": "root"])
        #expect(
            text(line, terminal) == "2026-11-24T22:59:03.007Z notice stopping by=root signal=15\n")
    }

    @Test("for the journal the priority, and neither time nor name")
    func forJournal() {
        let line = LogLine(.error, "no device", ["port": "vm1"])
        #expect(text(line, journal) == "<3>no device port=vm1\n")
        let json = LogStyle(.json, isForJournal: true)
        #expect(
            text(line, json) == #"<3>{"level":"error","message":"no device","port":"vm1"}"# + "\n")
    }

    @Test(
        "priorities are those of syslog",
        arguments: zip(Logger.Level.allCases, [7, 7, 6, 5, 4, 3, 2]))
    func priorities(level: Logger.Level, priority: Int) {
        #expect(text(LogLine(level, "x"), journal) == "<\(priority)>x\n")
    }

    @Test("an event stays on its line, whatever is in it")
    func controls() {
        let line = LogLine(
            .info, "a\nb\u{1b}[2J\u{2028}c", ["name": "x y", "none": "", "quote": "\"\\\n"])
        #expect(
            text(line, journal)
                == #"<6>a\nb\u{1B}[2J\u{2028}c name="x y" none="" quote="\"\\\n""# + "\n")
        let object = text(line, json)
        #expect(object.hasPrefix(#"{"level":"info","message":"a\nb\u001b[2J"#), "\(object)")
        #expect(object.filter { $0 == "\n" }.count == 1)
    }

    @Test("lists and maps are for JSON")
    func structured() {
        let line = LogLine(
            .error, "2 mistakes",
            [
                "problems": [["line": "3", "message": "what"], "x"], "file": "/etc/a",
                "time": "mine",
            ])
        #expect(text(line, journal) == "<3>2 mistakes file=/etc/a time=mine\n")
        #expect(
            text(line, json)
                == #"{"file":"/etc/a","level":"error","message":"2 mistakes","#
                + #""problems":[{"line":"3","message":"what"},"x"],"#
                + #""time":"2026-11-24T22:59:03.007Z","time_":"mine"}"# + "\n")
    }

    @Test("the journal is who JOURNAL_STREAM says")
    func journalStream() {
        let environment = ["JOURNAL_STREAM": "8:123456"]
        #expect(LogStyle.isJournal(environment, device: 8, inode: 123_456))
        #expect(!LogStyle.isJournal(environment, device: 8, inode: 12345))
        #expect(!LogStyle.isJournal(environment, device: 9, inode: 123_456))
        #expect(!LogStyle.isJournal([:], device: 8, inode: 123_456))
        #expect(!LogStyle.isJournal(["JOURNAL_STREAM": ""], device: 0, inode: 0))
    }

    @Test("why the daemon ends, line by line")
    func complaint() {
        func text(_ style: LogStyle) -> String {
            String(decoding: style.complaint("a\nb", at: time), as: UTF8.self)
        }
        #expect(text(terminal) == "weftd: a\nweftd: b\n")
        #expect(text(journal) == "<2>a\n<2>b\n")
        #expect(text(json).split(separator: "\n").count == 2)
    }
}
