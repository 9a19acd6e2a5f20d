import FoundationEssentials
import Glibc
import Lab
import Testing

struct CommandTests {
    @Test func collectsBothOutputsAndTheStatus() throws {
        let result = try Command(["sh", "-c", "echo out; echo err >&2; exit 3"]).run()
        #expect(
            result == CommandResult(status: 3, timedOut: false, stdout: "out\n", stderr: "err\n"))
    }

    @Test func passesInputLargerThanAPipe() throws {
        let input = String(repeating: "0123456789abcde\n", count: 20_000)
        let result = try Command(["cat"], input: input).run()
        #expect(result.stdout == input)
    }

    @Test func reportsASignalAsAShellDoes() throws {
        #expect(try Command(["sh", "-c", "kill -TERM $$"]).run().status == 128 + 15)
    }

    @Test func runsCommandsAtTheSameTime() throws {
        let start = ContinuousClock.now
        let results = try Command.run(
            all: (0..<20).map { Command(["sh", "-c", "sleep 0.3; echo \($0)"]) })
        #expect(ContinuousClock.now - start < .seconds(3))
        #expect(results.map(\.stdout) == (0..<20).map { "\($0)\n" })
    }

    @Test func killsWhatTakesTooLongAndAllItStarted() throws {
        let start = ContinuousClock.now
        let result = try Command(["sh", "-c", "sleep 60 & sleep 60"], timeout: .milliseconds(200))
            .run()
        #expect(result.timedOut)
        #expect(!result.succeeded)
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func endsWhatACommandLeftRunning() throws {
        let start = ContinuousClock.now
        let result = try Command(["sh", "-c", "sleep 60 & echo $!"]).run()
        let left = try #require(Int32(result.stdout.dropLast()))
        while isAlive(left), ContinuousClock.now - start < .seconds(50) { usleep(1000) }
        #expect(!isAlive(left))
    }

    /// Whether a process runs: one that has ended stays in the list until its new parent looks.
    private func isAlive(_ pid: Int32) -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return false }
        return !text[name...].hasPrefix(") Z")
    }

    @Test func aFailureThatMattersIsAnError() throws {
        #expect(
            throws: LabError.commandFailed("sh -c echo no >&2; exit 1", status: 1, output: "no\n")
        ) {
            try Command(["sh", "-c", "echo no >&2; exit 1"]).check()
        }
        #expect(throws: LabError.missingProgram("no-such-program")) {
            try Command(["no-such-program"]).run()
        }
    }
}
