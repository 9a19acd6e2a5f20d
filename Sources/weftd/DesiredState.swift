package import Catalog
package import ControlAPI
import Foundation
package import Logging

/// Who makes a desired state true: the datapath.
package protocol StateFollower: Sendable {
    /// Throws what `apply` would throw, and changes nothing.
    func check(_ new: Configuration) throws
    /// Makes networks, ports and peers what `new` says, whole or not at all, and returns what has
    /// changed, in words.
    func apply(_ new: Configuration) throws -> String
}

/// What this host is wanted to be: the configuration file, and what was set through the API beside
/// it. All changes of either go through here, one after another; each is checked, then written to
/// disk, then made true, or nothing of it happens.
package actor DesiredState {
    private let store: StateFile
    private let follower: any StateFollower
    private let events: EventHub
    private let logger: Logger
    private(set) var file: ConfigurationFile
    private(set) var overlay: Overlay
    private(set) var configuration: Configuration
    /// What the file has by itself.
    private(set) var fileObjects: [Overlay.Section: [String: JSONTree]]
    /// Of all networks, ports and peers: equal states have equal ones.
    private(set) var revision: String

    /// The state that `start` was read from, followed by `follower`.
    package init(
        _ start: StartingState, follower: any StateFollower, events: EventHub, logger: Logger
    ) {
        self.events = events
        store = start.store
        file = start.file
        overlay = start.overlay
        configuration = start.configuration
        fileObjects = Overlay.objects(of: start.file)
        revision = Self.revision(of: start.configuration)
        self.follower = follower
        self.logger = logger
    }

    /// Has the host be what the file and `new` say: `reading`, where that was read already.
    ///
    /// - Throws: `ConfigurationError`, `StateFileError`, or what the follower says; nothing has
    ///   changed then.
    @discardableResult
    func change(
        to new: Overlay, file newFile: ConfigurationFile? = nil,
        reading read: Configuration? = nil, dryRun: Bool = false
    ) throws -> [ObjectChange] {
        let file = newFile ?? self.file
        let wanted = try read ?? Configuration.parse(file, with: new, from: store.path)
        let changes = Self.changes(from: configuration, to: wanted)
        try follower.check(wanted)
        guard !dryRun else { return changes }
        let summary: String
        if new == overlay {
            summary = try follower.apply(wanted)
        } else {
            let prepared = try store.prepare(new)
            summary = try follower.apply(wanted)
            do {
                try prepared.commit()
            } catch {
                _ = try? follower.apply(configuration)
                throw error
            }
        }
        if newFile != nil { fileObjects = Overlay.objects(of: file) }
        self.file = file
        overlay = new
        configuration = wanted
        revision = Self.revision(of: wanted)
        let source = newFile.map { "\($0.name) read again" } ?? "changed through the API"
        logger.notice("\(source): \(summary)")
        if !changes.isEmpty {
            events.tell(Event(.configurationChanged, changes: changes.map(\.brief)))
        }
        return changes
    }

    /// Reads the file again, and follows it. What is wrong with it is logged, and changes nothing.
    package func reload() {
        do {
            try change(to: overlay, file: try ConfigurationFile(reading: file.name))
        } catch {
            logger.error("\(file.name) not taken over: \(error)")
        }
    }

    /// Where an object comes from; nil if there is none.
    func origin(_ section: Overlay.Section, _ name: String) -> ObjectOrigin? {
        let isInFile = fileObjects[section]?[name] != nil
        if overlay[section, name] != nil { return isInFile ? .override : .api }
        return isInFile ? .file : nil
    }

    private static func changes(
        from old: Configuration, to new: Configuration
    ) -> [ObjectChange] {
        Overlay.Section.allCases.flatMap { section in
            let (before, after) = (objects(section, of: old), objects(section, of: new))
            let names = Set(before.keys).union(after.keys).sorted()
            return names.filter { before[$0] != after[$0] }.map { name in
                ObjectChange(kind: section.singular, name: name, before[name], after[name])
            }
        }
    }

    private static func objects(
        _ section: Overlay.Section, of configuration: Configuration
    ) -> [String: JSONTree] {
        Dictionary(
            configuration.objects(section).map { ($0.name, $0.json) }, uniquingKeysWith: { $1 })
    }

    private static func revision(of configuration: Configuration) -> String {
        let sections = Overlay.Section.allCases.map { section in
            JSONTree.array(
                configuration.objects(section).sorted { $0.name < $1.name }.map(\.json))
        }
        return contentTag(of: .array(sections))
    }
}

/// A short name of a content: FNV-1a of its JSON, in hexadecimal digits.
func contentTag(of value: JSONTree) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in (try? JSON.encode(value)) ?? [] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    return String(hash, radix: 16)
}

/// What a daemon starts from: the file, and what was set beside it before.
package struct StartingState: Sendable {
    let store: StateFile
    let file: ConfigurationFile
    let overlay: Overlay
    /// Both together.
    package let configuration: Configuration

    /// Reads both. `statePath` is where the latter is kept, instead of what the file says.
    ///
    /// - Throws: `ConfigurationError` if the file is wrong, by itself or beside what was set;
    ///   `StateFileError` if the latter cannot be read.
    package init(file path: String, statePath: String?, logger: Logger) throws {
        file = try ConfigurationFile(reading: path)
        let place = try statePath ?? Configuration.statePath(of: file)
        store = StateFile(path: place)
        overlay = try store.load(logger)
        configuration = try Configuration.parse(file, with: overlay, from: place)
        do {
            try checkWritable()
        } catch {
            logger.warning("nothing can be set through the API: \(error)")
        }
    }

    /// Throws why nothing can be set through the API, if so.
    package func checkWritable() throws {
        if let refusal = store.refusal { throw refusal }
    }
}
