import ArgumentParser
import ControlAPI
import Glibc

/// `weft top`: who sends how much, now.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Packets, bits and drops a second of ports and peers, live.",
        discussion: """
            Redraws until interrupted, the busiest first. Where the output is no terminal, or with \
            --count, tables follow one another.

            Examples:
              weft top --interval 5
              weft top --count 1 | head
            """)

    @OptionGroup var daemon: SocketOptions
    @Option(help: "Seconds between two looks.") var interval = 1.0
    @Option(help: "End after so many tables.") var count: Int?

    /// Lines that a terminal shows, where standard output is one.
    private static var terminalHeight: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else {
            return nil
        }
        return Int(size.ws_row)
    }

    func validate() throws {
        guard interval >= 0.1, interval <= 3600 else {
            throw ValidationError("--interval: expected 0.1...3600 seconds")
        }
        if let count, count < 1 { throw ValidationError("--count: expected at least 1") }
    }

    func run() throws {
        let redraws = isatty(STDOUT_FILENO) == 1 && count == nil
        let clock = ContinuousClock()
        var before = (status: try daemon.client.status(), time: clock.now)
        var shown = 0
        while count.map({ shown < $0 }) ?? true {
            usleep(useconds_t(interval * 1_000_000))
            let now = (status: try daemon.client.status(), time: clock.now)
            let seconds = before.time.duration(to: now.time) / .seconds(1)
            let text = TopScreen.render(
                from: before.status, to: now.status, seconds: seconds,
                height: redraws ? Self.terminalHeight : nil)
            let erase = redraws ? "\u{1b}[H\u{1b}[2J" : shown > 0 ? "\n" : ""
            print(erase + text, terminator: "")
            fflush(nil)
            before = now
            shown += 1
        }
    }
}
