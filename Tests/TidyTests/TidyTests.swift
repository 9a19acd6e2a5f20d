import Testing

/// The style that a formatter does not see. Where a rule is not kept yet, a list says where and
/// how far; such a list is a ratchet: its numbers only ever become smaller.
@Suite("The source tree is tidy")
struct TidyTests {
    private let files: [SourceFile]

    init() throws {
        files = try SourceTree.swiftFiles()
        try #require(files.count > 50)
    }

    /// Compares what was found, by file, with what is tolerated.
    private func expect(
        _ found: [String: Int], within tolerated: [String: Int], _ rule: Comment
    ) {
        for (path, count) in found.sorted(by: { $0.key < $1.key }) {
            let limit = tolerated[path] ?? 0
            #expect(count <= limit, "\(path): \(count), tolerated \(limit): \(rule)")
        }
        for (path, limit) in tolerated.sorted(by: { $0.key < $1.key }) {
            let count = found[path] ?? 0
            #expect(count >= limit, "\(path): only \(count) left, lower the ratchet from \(limit)")
        }
    }

    /// In how many lines of which files `condition` holds.
    private func lines(where condition: (Substring) -> Bool) -> [String: Int] {
        let counts = files.map { ($0.path, $0.lines.count { condition($0) }) }
        return Dictionary(uniqueKeysWithValues: counts).filter { $0.value > 0 }
    }

    /// In how many lines of code of which files `pattern` matches.
    private func code(matching pattern: some RegexComponent) -> [String: Int] {
        let counts = files.map { ($0.path, $0.code.count { $0.contains(pattern) }) }
        return Dictionary(uniqueKeysWithValues: counts).filter { $0.value > 0 }
    }

    @Test("lines have at most 100 columns")
    func lineLength() {
        expect(lines { $0.count > 100 }, within: Ratchet.longLines, "break lines at 100 columns")
    }

    @Test("files have at most 500 lines")
    func fileLength() {
        let long = files.filter { $0.lines.count > 500 }.map { ($0.path, $0.lines.count) }
        expect(
            Dictionary(uniqueKeysWithValues: long), within: Ratchet.longFiles,
            "a file is about one thing: split those of more than 500 lines")
    }

    @Test("functions have at most 70 lines")
    func functionLength() {
        let counts = files.map { file in
            (
                file.path,
                FunctionExtent.all(in: file.lines).map(\.count).filter { $0 > 70 }.max() ?? 0
            )
        }
        expect(
            Dictionary(uniqueKeysWithValues: counts).filter { $0.value > 0 },
            within: Ratchet.longFunctions, "a function fits a screen of 70 lines: split it")
    }

    @Test("nothing gives up where an error could be told")
    func traps() {
        expect(
            code(matching: /\b(try!|fatalError\()/), within: [:],
            "throw an error, or state with precondition what makes it impossible")
    }

    @Test("nothing is left to do")
    func leftovers() {
        expect(
            lines { line in ["TODO", "FIXME"].contains { line.contains($0) } },
            within: [:], "do it, or write down in docs/ that it is not done")
    }

    @Test("what is sendable by assertion is listed")
    func uncheckedSendable() {
        expect(
            code(matching: /@unchecked Sendable/), within: Ratchet.uncheckedSendable,
            "use Mutex or Atomic, or add the file to the list with the reason beside the code")
    }

    @Test("every reason of a drop is explained")
    func drops() throws {
        let lines = try SourceTree.file("Sources/Forwarding/Drop.swift").lines.map {
            $0.drop { $0 == " " }
        }
        let cases = lines.indices.filter { lines[$0].hasPrefix("case ") }
        #expect(cases.count > 10)
        for index in cases {
            #expect(
                index > 0 && lines[index - 1].hasPrefix("/// "),
                "\(lines[index]) has no doc comment: it is the help text of its metric")
            #expect(!lines[index].contains(","), "\(lines[index]): one reason per line")
        }
    }
}

@Suite("The measures of the tidy tests")
struct MeasureTests {
    @Test("functions are measured from their first line to their brace")
    func functions() {
        let text = """
            protocol P {
                func requirement()
                func another(
                    a: Int
                ) -> Int
            }
            struct S {
                public init(
                    a: Int
                ) {
                    if a > 0 {
                        b()
                    }
                }
                func short() { b() }
                private static func f() -> Int {
                    // {
                    1
                }
            }
            """
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(
            FunctionExtent.all(in: lines) == [
                FunctionExtent(line: 8, count: 7), FunctionExtent(line: 16, count: 4),
            ])
    }

    @Test("comments are no code")
    func comments() {
        let file = SourceFile(path: "", lines: ["a() // b", "/// c", "d"])
        #expect(file.code == ["a() ", "", "d"])
    }
}
