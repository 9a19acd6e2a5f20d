// A whole desired state, as a client has it: which of it has to be set beside the file so that
// both together say the same.

public import ControlAPI
import Yams

/// Why a document cannot be had: objects of the file that it does not have.
public struct FileObjectsMissing: Error, Sendable, Equatable {
    /// `network red`, ...
    public var objects: [String]

    /// These are missing.
    public init(objects: [String]) { self.objects = objects }
}

/// Why a document cannot be had: it says otherwise in sections that are read at start only.
public struct SectionsDiffer: Error, Sendable, Equatable {
    /// `host`, `workers`, ...
    public var sections: [String]

    /// These differ.
    public init(sections: [String]) { self.sections = sections }
}

extension Overlay {
    /// What to set so that the configuration becomes what `document` says.
    ///
    /// A document has the file's keys. `networks`, `ports` and `peers` that it has are meant
    /// whole; sections that it leaves out stay as they are. An object that the file has just so is
    /// not set.
    ///
    /// - Throws: `ConfigurationError` if the document is wrong; `FileObjectsMissing` if it lacks
    ///   objects that the file has, which only the file can take away; `SectionsDiffer` if it
    ///   contradicts the file in what is read at start.
    public func covering(
        _ document: ConfigurationFile, over file: ConfigurationFile
    ) throws -> Overlay {
        let current = self
        return try onLargeStack { () -> Result<Overlay, any Error> in
            Result { try cover(document, over: file, current) }
        }.get()
    }

    /// What `file` alone has in each section, as far as it can be read without the rest.
    public static func objects(of file: ConfigurationFile) -> [Section: [String: JSONTree]] {
        onLargeStack { fileObjects(file) }
    }
}

extension Configuration {
    /// Where what is set through the API is kept, as `file` says, whatever else is wrong with it.
    ///
    /// - Throws: what is wrong with a file that is no YAML.
    public static func statePath(
        of file: ConfigurationFile
    ) throws(ConfigurationError) -> String {
        try onLargeStack { readQuietly(file).map(\.control.state) }.get()
    }

    /// The JSON that `bytes` are. Throws what is wrong with them.
    public static func parseJSON(_ bytes: [UInt8]) throws -> JSONTree {
        try onLargeStack { Result { try JSON.decode(JSONTree.self, from: bytes) } }.get()
    }
}

private func cover(
    _ document: ConfigurationFile, over file: ConfigurationFile, _ current: Overlay
) throws -> Overlay {
    let base = try read(file) { $0.node }.get()
    var present: [Overlay.Section] = []
    var kept = current
    let set = Problems(file: "API")
    let wanted = try read(document) { root -> Configuration in
        guard case .mapping(var mapping) = root.node else {
            return ConfigurationReader(root, OverlayItems(overlay: kept, problems: set)).read()
        }
        func has(_ key: String) -> Bool { mapping[key].map { !root.with($0).isNull } ?? false }
        present = Overlay.Section.allCases.filter { has($0.rawValue) }
        for section in present { kept.objects[section] = [:] }
        if present.contains(.networks) { kept.endpoints = [:] }
        for key in ConfigurationReader.keys where !has(key) {
            if let value = base.mapping?[key] { mapping[.init(key)] = value }
        }
        return ConfigurationReader(
            root.with(.mapping(mapping)), OverlayItems(overlay: kept, problems: set)
        ).read()
    }.get()
    if let error = set.error { throw error }
    let differing = try readQuietly(file).get().sectionsThatNeedRestart(for: wanted)
    guard differing.isEmpty else { throw SectionsDiffer(sections: differing) }
    let own = fileObjects(file)
    var missing: [String] = []
    for section in present {
        let objects = Dictionary(
            wanted.objects(section).map { ($0.name, $0.json) }, uniquingKeysWith: { $1 })
        let names = (own[section] ?? [:]).keys.filter { objects[$0] == nil }
        missing += names.sorted().map { "\(section.singular) \($0)" }
        kept.objects[section] = objects.filter { own[section]?[$0.key] != $0.value }
    }
    guard missing.isEmpty else { throw FileObjectsMissing(objects: missing) }
    return kept
}

private func fileObjects(_ file: ConfigurationFile) -> [Overlay.Section: [String: JSONTree]] {
    guard case .success(let configuration) = readQuietly(file) else { return [:] }
    return Dictionary(
        uniqueKeysWithValues: Overlay.Section.allCases.map { section in
            let objects = configuration.objects(section).map { ($0.name, $0.json) }
            return (section, Dictionary(objects, uniquingKeysWith: { $1 }))
        })
}

/// What can be read of a file by itself, whatever it lacks of what was set beside it.
private func readQuietly(
    _ file: ConfigurationFile
) -> Result<Configuration, ConfigurationError> {
    let ignored = Problems(file: file.name)
    return read(file) { root in
        ConfigurationReader(
            Value(node: root.node, path: "", problems: ignored),
            OverlayItems(overlay: Overlay(), problems: ignored)
        ).read()
    }
}

extension Value {
    /// Another node in the same place.
    fileprivate func with(_ node: Node) -> Value {
        Value(node: node, path: path, problems: problems)
    }
}
