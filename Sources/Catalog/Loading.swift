import Glibc
import Yams

/// The text of a configuration file as it was read.
public struct ConfigurationFile: Sendable, Equatable {
    /// Its name in messages.
    public var name: String
    public var text: String

    /// A file of this text.
    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// Reads the text of a regular file of `Configuration.maximumBytes` at most.
    public init(reading file: String) throws(ConfigurationError) {
        self.init(name: file, text: try Catalog.text(of: file))
    }
}

extension Configuration {
    /// Largest file that is read.
    public static let maximumBytes = 16 << 20

    /// How many aliases (`*name`) a file may use. Aliases of aliases grow exponentially; this
    /// many cannot grow far, and no configuration needs more.
    public static let maximumAliases = 16

    /// Reads a configuration file.
    ///
    /// - Throws: every problem found with the file, each with its line and key.
    public static func load(file: String) throws(ConfigurationError) -> Configuration {
        try parse(ConfigurationFile(reading: file))
    }

    /// Reads a configuration from the text of a file; `file` is its name in messages.
    ///
    /// - Throws: every problem found, each with its line and key.
    public static func parse(
        yaml: String, file: String
    ) throws(ConfigurationError) -> Configuration {
        try parse(ConfigurationFile(name: file, text: yaml))
    }

    /// Reads a configuration from the text of a file and from what was set beside it. `origin`
    /// says where the latter is from: problems of what was set have it as their file, and paths
    /// like `ports/vm1.macs[0]`.
    ///
    /// - Throws: every problem found.
    public static func parse(
        _ file: ConfigurationFile, with overlay: Overlay = Overlay(), from origin: String = "API"
    ) throws(ConfigurationError) -> Configuration {
        try onLargeStack { () -> Result<Configuration, ConfigurationError> in
            let set = OverlayItems(overlay: overlay, problems: Problems(file: origin))
            return read(file) { ConfigurationReader($0, set).read() }
                .flatMap { configuration in
                    set.problems.error.map { .failure($0) } ?? .success(configuration)
                }
        }.get()
    }
}

/// Checks the text, parses it, and has `body` read the tree.
func read<Read>(
    _ file: ConfigurationFile, _ body: (Value) -> Read
) -> Result<Read, ConfigurationError> {
    let problems = Problems(file: file.name)
    checkSize(of: file.text, problems)
    if let error = problems.error { return .failure(error) }
    let root = compose(file.text, problems)
    if let error = problems.error { return .failure(error) }
    let result = body(Value(node: root ?? .mapping(.init([])), path: "", problems: problems))
    if let error = problems.error { return .failure(error) }
    return .success(result)
}

/// Reports what would make parsing itself run away.
private func checkSize(of yaml: String, _ problems: Problems) {
    guard yaml.utf8.count <= Configuration.maximumBytes else {
        problems.report(tooLarge, at: nil)
        return
    }
    // An alias is a `*` at the start of a word. Those in comments and strings count as well:
    // telling them apart would take a scanner of our own.
    var aliases = 0
    var previous = UInt8(ascii: " ")
    var isStar = false
    for byte in yaml.utf8 {
        if isStar, byte > 0x20 { aliases += 1 }
        isStar = byte == UInt8(ascii: "*") && (previous <= 0x20 || "[{,:?-".utf8.contains(previous))
        previous = byte
    }
    if aliases > Configuration.maximumAliases {
        problems.report(
            "\(aliases) aliases (words that start with `*`), expected "
                + "\(Configuration.maximumAliases) at most: write the values out", at: nil)
    }
}

private let tooLarge =
    "larger than \(Configuration.maximumBytes >> 20) MiB, the most that a configuration may be"

/// The tree of the file's only document; nil if it is empty or was reported as broken.
private func compose(_ yaml: String, _ problems: Problems) -> Node? {
    do {
        // The basic resolver leaves scalars as text; the encoding is not left to the environment.
        return try Parser(yaml: yaml, resolver: .basic, encoding: .utf8).singleRoot()
    } catch let error as YamlError {
        let (message, place) = describe(error)
        problems.report(message, at: place)
    } catch {
        problems.report("not YAML: \(error)", at: nil)
    }
    return nil
}

/// What the YAML parser has to say, and where.
private func describe(_ error: YamlError) -> (message: String, place: Problems.Place?) {
    func place(_ mark: Mark) -> Problems.Place { .init(line: mark.line, column: mark.column) }
    switch error {
    case .scanner(let context, let problem, let mark, _),
        .parser(let context, let problem, let mark, _),
        .composer(let context, let problem, let mark, _):
        if problem.hasPrefix("Maximum nesting level") {
            return ("nested too deeply, expected no more than a few levels", place(mark))
        }
        if problem == "but found another document" {
            return ("a second document starts here, expected one", place(mark))
        }
        let context = context.map { $0.text + ": " } ?? ""
        return ("not YAML: \(context)\(problem)", place(mark))
    case .reader(let problem, let offset, _, let yaml):
        return ("not YAML: \(problem)", offset.flatMap { lineAndColumn(at: $0, in: yaml) })
    case .duplicatedKeysInMapping(let keys, let context):
        let keys = keys.map(quoted).joined(separator: ", ")
        return (
            "\(keys) more than once in the map that has it here: remove one", place(context.mark)
        )
    default:
        return ("not YAML: \(error)", nil)
    }
}

/// Line and column of the character at `offset`.
private func lineAndColumn(at offset: Int, in yaml: String) -> Problems.Place? {
    guard let end = yaml.index(yaml.startIndex, offsetBy: offset, limitedBy: yaml.endIndex)
    else { return nil }
    let lines = yaml[..<end].split(separator: "\n", omittingEmptySubsequences: false)
    return Problems.Place(
        line: max(1, lines.count), column: (lines.last?.unicodeScalars.count ?? 0) + 1)
}

/// The text of a regular file of bounded size.
private func text(of file: String) throws(ConfigurationError) -> String {
    func failure(_ message: String) -> ConfigurationError {
        .init(problems: [.init(file: file, place: nil, path: "", message: message)])
    }
    func systemFailure() -> ConfigurationError {
        failure("cannot be read: " + String(cString: strerror(errno)))
    }

    // Nonblocking, so that a FIFO is refused below and not waited for.
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw systemFailure() }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw systemFailure() }
    guard status.st_mode & S_IFMT == S_IFREG else { throw failure("not a regular file") }

    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw systemFailure() }
        guard count > 0 else { break }
        bytes += chunk[..<count]
        guard bytes.count <= Configuration.maximumBytes else { throw failure(tooLarge) }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw failure("not UTF-8 text: save it as UTF-8")
    }
    return text
}
