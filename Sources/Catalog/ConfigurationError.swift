/// What is wrong with a configuration file: every problem found, in the order of the file.
public struct ConfigurationError: Error, Sendable, Equatable {
    /// One problem and its place.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// The file, as the caller named it.
        public var file: String
        /// Line and column, both from 1; nil where the file as a whole is at fault.
        public var place: Place?
        /// The key's path, as in `ports[2].macs[0]`; empty for the file as a whole.
        public var path: String
        /// What is wrong, what was expected, and how to mend it.
        public var message: String

        /// `file:line:column: key.path: message`.
        public var description: String {
            let placed = place.map { "\(file):\($0.line):\($0.column)" }
            return "\(placed ?? file): \(keyAndMessage)"
        }

        private var keyAndMessage: String { path.isEmpty ? message : "\(path): \(message)" }

        /// `line:column: key.path: message` where the file is the one that is spoken of.
        fileprivate func description(in file: String) -> String {
            guard file == self.file else { return description }
            let placed = place.map { "\($0.line):\($0.column): " }
            return (placed ?? "") + keyAndMessage
        }
    }

    /// A place in a file.
    public struct Place: Sendable, Hashable, Comparable {
        /// From 1.
        public var line: Int
        /// From 1, in Unicode scalars.
        public var column: Int

        /// Whether `one` comes first in the file.
        public static func < (one: Place, other: Place) -> Bool {
            (one.line, one.column) < (other.line, other.column)
        }
    }

    /// The problems in the order of the file; never empty.
    public var problems: [Problem]
}

extension ConfigurationError: CustomStringConvertible {
    /// One problem per line.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }

    /// How many problems a summary has.
    private static var summaryLimit: Int { 5 }

    /// The first problems in one line, for a sentence that names `file` already.
    public func summary(of file: String) -> String {
        let shown = problems.prefix(Self.summaryLimit).map { $0.description(in: file) }
        let more = problems.count - shown.count
        return (shown + (more > 0 ? ["and \(more) more"] : [])).joined(separator: "; ")
    }
}
