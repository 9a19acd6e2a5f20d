import Catalog
import Dispatch
import Foundation
import Testing

@Suite("Input that no editor wrote")
struct HostileInputTests {
    @Test("broken YAML is reported with its line")
    func syntax() {
        #expect(
            problems(inFile: "host: a\nunderlay: {address: 1\npeers: ]\n").first?
                .hasPrefix("weft.yaml:3:") == true)
        #expect(problems(inFile: "host: a\n\tx: y\n").first?.contains("weft.yaml:2:") == true)
        #expect(problems(inFile: "host: *nobody\n").first?.contains("undefined alias") == true)
        #expect(
            problems("host: b\n") == [
                "weft.yaml:1:1: `host` more than once in the map that has it here: remove one"
            ])
        #expect(
            problems("--- \nhost: b\n") == [
                "weft.yaml:3:1: a second document starts here, expected one"
            ])
        #expect(problems("log: \u{1}\n").first?.contains("weft.yaml:3:6: not YAML") == true)
    }

    @Test("files with nothing in them lack what is required")
    func empty() {
        for yaml in ["", "\n", "# nothing\n", "---\n"] {
            #expect(problems(inFile: yaml).contains { $0.contains("host: missing") })
        }
        #expect(
            problems(inFile: "- host\n").contains { $0.contains("found a list, expected a map") })
        #expect(problems(inFile: "host\n").contains { $0.contains("found `host`, expected a map") })
    }

    @Test("deep nesting is refused", arguments: ["[", "{a: ", "- ", "? "])
    func nesting(opening: String) {
        let found = problems("x: " + String(repeating: opening, count: 100_000))
        #expect(found.count == 1)
        #expect(problems("x:\n  " + String(repeating: opening, count: 100_000)).count == 1)
    }

    @Test("nesting that the parser still takes fits a thread's stack")
    func nestingWithinLimits() {
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            let levels = 990
            let open = String(repeating: "[", count: levels)
            let close = String(repeating: "]", count: levels)
            #expect(problems("x: \(open)\(close)\n").count == 1)
            done.signal()
        }
        thread.stackSize = 512 << 10
        thread.start()
        #expect(done.wait(timeout: .now() + 60) == .success)
    }

    @Test("aliases of aliases are refused before they grow")
    func aliasBomb() {
        var yaml = "x0: &x0 [a]\n"
        for level in 1..<40 {
            yaml += "x\(level): &x\(level) [*x\(level - 1), *x\(level - 1)]\n"
        }
        #expect(
            problems(yaml + "? *x39\n: 1\n") == [
                "weft.yaml: 79 aliases (words that start with `*`), expected 16 at most: "
                    + "write the values out"
            ])
    }

    @Test("large files are refused")
    func size() {
        let yaml = "host: a\n" + String(repeating: "#", count: Configuration.maximumBytes)
        #expect(
            problems(inFile: yaml) == [
                "weft.yaml: larger than 16 MiB, the most that a configuration may be"
            ])
    }

    @Test("many problems are cut")
    func manyProblems() {
        let found = problems((0..<1000).map { "key\($0): 1\n" }.joined())
        #expect(found.count == 101)
        #expect(found.last == "weft.yaml: and 900 more problems")
    }

    @Test("messages show no control characters and no endless values")
    func quoting() {
        let found = problems("workers: \"\\e[31m\(String(repeating: "x", count: 500))\"\n")
        #expect(found.count == 1)
        #expect(!found[0].utf8.contains(0x1b))
        #expect(found[0].utf8.count < 200)
    }

    @Test("mutations of a valid file are read or refused", arguments: 0..<8)
    func mutations(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let original = Array(try documentExample().utf8)
        let alphabet = Array("-:?[]{}&*!|>'\"%@`#,\n\t \\~0aé\u{0}".utf8)
        for _ in 0..<200 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = alphabet.randomElement(using: &random) ?? 0
                case 1: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: at)
                case 2: bytes.remove(at: at)
                default: bytes.removeSubrange(at..<min(bytes.count, at + 40))
                }
            }
            let yaml = String(decoding: bytes, as: UTF8.self)
            for problem in problems(inFile: yaml) {
                #expect(problem.hasPrefix("weft.yaml:"), "seed \(seed)")
            }
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: a seed gives the same mutations each time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
