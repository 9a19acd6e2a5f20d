import Foundation

/// A Swift file of the repository.
struct SourceFile {
    /// Relative to the repository, as in `Sources/Wire/ARP.swift`.
    let path: String
    let lines: [Substring]

    /// Lines of code without what follows `//`. Strings that contain `//` are cut as well: good
    /// enough for looking for words that nobody has a reason to write in a string.
    var code: [Substring] {
        lines.map { line in
            guard let comment = line.firstRange(of: "//") else { return line }
            return line[..<comment.lowerBound]
        }
    }
}

/// The repository's own files.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files of Package.swift, Sources and Tests, but for this target's, which name
    /// what they look for.
    static func swiftFiles() throws -> [SourceFile] {
        var paths = ["Package.swift"]
        for directory in ["Sources", "Tests"] {
            paths += try FileManager.default
                .subpathsOfDirectory(atPath: root.appending(path: directory).path)
                .filter { $0.hasSuffix(".swift") }
                .map { "\(directory)/\($0)" }
        }
        return try paths.filter { !$0.hasPrefix("Tests/TidyTests/") }.sorted().map(file)
    }

    static func file(_ path: String) throws -> SourceFile {
        let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last == "" { lines.removeLast() }
        return SourceFile(path: path, lines: lines)
    }
}

/// A function, initializer or subscript and how many lines it takes.
struct FunctionExtent: Equatable {
    let line: Int
    let count: Int

    /// The functions of a formatted file: a body ends with the first `}` that stands alone at the
    /// indentation of the line that the function began on.
    static func all(in lines: [Substring]) -> [FunctionExtent] {
        lines.indices.compactMap { start in
            guard isFunction(lines[start]) else { return nil }
            let indentation = lines[start].prefix { $0 == " " }
            for end in start..<lines.count {
                let line = lines[end]
                let depth = line.prefix { $0 == " " }.count
                let text = line.dropFirst(depth)
                if end == start {
                    if text.last == "}" { return nil }
                } else if depth < indentation.count, !text.isEmpty {
                    return nil  // A protocol's last requirement: it has no body.
                } else if depth == indentation.count, text.first == "}" {
                    return FunctionExtent(line: start + 1, count: end - start + 1)
                } else if depth == indentation.count, let first = text.first,
                    first.isLetter || first == "/" || first == "@"
                {
                    return nil  // A requirement, and the next one.
                }
            }
            return nil
        }
    }

    private static let modifiers: Set<Substring> = [
        "public", "package", "private", "fileprivate", "static", "mutating", "borrowing",
        "consuming", "override", "final", "required", "convenience", "nonisolated", "internal",
        "@discardableResult", "@inlinable", "@inline(__always)", "@inline(never)",
    ]

    private static func isFunction(_ line: Substring) -> Bool {
        let words = line.split(separator: " ")
        guard let word = words.first(where: { !modifiers.contains($0) }) else { return false }
        return word == "func" || word == "deinit" || word.hasPrefix("init(")
            || word.hasPrefix("init?(") || word.hasPrefix("init<") || word.hasPrefix("subscript(")
    }
}
