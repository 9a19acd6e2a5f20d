/// Collects what is wrong with one file while the reader goes on.
final class Problems {
    typealias Place = ConfigurationError.Place

    /// Nobody reads more than this; the rest are only counted.
    static let limit = 100

    let file: String
    private var found: [ConfigurationError.Problem] = []
    private var left = 0

    init(file: String) {
        self.file = file
    }

    func report(_ message: String, path: String = "", at place: Place?) {
        guard found.count < Self.limit else {
            left += 1
            return
        }
        found.append(.init(file: file, place: place, path: path, message: message))
    }

    /// What was found, in the order of the file; nil if nothing was.
    var error: ConfigurationError? {
        guard !found.isEmpty else { return nil }
        let start = Place(line: 0, column: 0)
        var problems = found.enumerated().sorted { one, other in
            (one.element.place ?? start, one.offset) < (other.element.place ?? start, other.offset)
        }.map(\.element)
        if left > 0 {
            problems.append(
                .init(file: file, place: nil, path: "", message: "and \(left) more problems"))
        }
        return ConfigurationError(problems: problems)
    }
}

/// `text` in quotes as a message may show it: cut, and without control characters.
func quoted(_ text: String) -> String {
    let limit = 48
    var shown = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        shown +=
            scalar.properties.generalCategory == .control
            ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return "`" + shown + (text.unicodeScalars.count > limit ? "…`" : "`")
}
