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
    /// What was set and does not fit the file: kept, and not in force until it fits.
    private var suspended: Overlay?
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
        suspended = start.suspended
        configuration = start.configuration
        fileObjects = Overlay.objects(of: start.file)
        revision = Self.revision(of: start.configuration)
        self.follower = follower
        self.logger = logger
        do {
            try start.checkWritable()
        } catch {
            logger.warning("nothing can be set through the API: \(error)")
        }
    }

    /// Has the host be what the file and `new` say.
    ///
    /// - Throws: `ConfigurationError`, `StateFileError`, or what the follower says; nothing has
    ///   changed then.
    @discardableResult
    func change(
        to new: Overlay, file newFile: ConfigurationFile? = nil, dryRun: Bool = false
    ) throws -> [ObjectChange] {
        let file = newFile ?? self.file
        if newFile == nil, !dryRun { try checkNothingIsSuspended() }
        let wanted = try Configuration.parse(file, with: new, from: store.path)
        let changes = Self.changes(from: configuration, to: wanted)
        try follower.check(wanted)
        guard !dryRun else { return changes }
        // On disk first: nobody else changes what was just checked, and a device that was taken
        // away does not come back as it was.
        if new != overlay { try store.prepare(new).commit() }
        let summary: String
        do {
            summary = try follower.apply(wanted)
        } catch {
            if new != overlay { try? store.prepare(overlay).commit() }
            throw error
        }
        if newFile != nil { fileObjects = Overlay.objects(of: file) }
        self.file = file
        overlay = new
        configuration = wanted
        revision = Self.revision(of: wanted)
        let source = newFile.map { "\($0.name) read again" } ?? "changed through the API"
        let names = changes.prefix(8).map(\.mark).joined(separator: ", ")
        let more = changes.count > 8 ? " and \(changes.count - 8) more" : ""
        logger.notice("\(source): \(summary)\(names.isEmpty ? "" : " (\(names)\(more))")")
        if newFile != nil { sayWhatIsHidden() }
        if !changes.isEmpty {
            events.tell(Event(.configurationChanged, changes: changes.map(\.brief)))
        }
        return changes
    }

    /// Reads the file again, and follows it. What is wrong with it is logged, and changes nothing.
    package func reload() {
        do {
            let file = try ConfigurationFile(reading: file.name)
            if let suspended, (try? change(to: suspended, file: file)) != nil {
                self.suspended = nil
                logger.notice("what was set through the API is in force again")
            } else {
                try change(to: overlay, file: file)
            }
        } catch let error as ConfigurationError {
            logger.error(
                "\(file.name) not taken over: \(error.summary(of: file.name))",
                metadata: ["problems": .array(error.problems.map(\.details))])
        } catch {
            logger.error("\(file.name) not taken over: \(error)")
        }
    }

    private func checkNothingIsSuspended() throws {
        guard suspended != nil else { return }
        throw StateFileError(
            "what was set before (\(store.path)) does not fit \(file.name), see the log: mend "
                + "either, then reload")
    }

    /// An edit of the file may be without effect, because something was set in its place.
    private func sayWhatIsHidden() {
        let hidden = Overlay.Section.allCases.flatMap { section in
            (overlay.objects[section] ?? [:]).keys.filter { fileObjects[section]?[$0] != nil }
                .sorted().map { "\(section.singular) \($0)" }
        }
        guard !hidden.isEmpty else { return }
        let names = hidden.joined(separator: ", ")
        logger.notice("set through the API, in place of what \(file.name) says: \(names)")
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
    /// What was set and does not fit the file.
    let suspended: Overlay?
    /// Both together.
    package let configuration: Configuration

    /// Reads both. `statePath` is where the latter is kept, instead of what the file says. Where
    /// only the two together are wrong, the file goes on alone: some traffic is better than none.
    ///
    /// - Throws: `ConfigurationError` if the file is wrong; `StateFileError` if what was set cannot
    ///   be read.
    package init(file path: String, statePath: String?, logger: Logger) throws {
        file = try ConfigurationFile(reading: path)
        let place = try statePath ?? Configuration.statePath(of: file)
        store = StateFile(path: place)
        let set = try store.load(logger)
        do {
            configuration = try Configuration.parse(file, with: set, from: place)
            (overlay, suspended) = (set, nil)
        } catch {
            guard let alone = try? Configuration.parse(file) else { throw error }
            configuration = alone
            (overlay, suspended) = (Overlay(), set)
            logger.error(
                "what was set through the API does not fit \(path), and is not in force: \(error)")
        }
    }

    /// Throws what is wrong with the file, and with it and what was set together.
    package static func check(file path: String, statePath: String?, logger: Logger) throws {
        let file = try ConfigurationFile(reading: path)
        let place = try statePath ?? Configuration.statePath(of: file)
        let set = try StateFile.peek(place, logger)
        _ = try Configuration.parse(file, with: set, from: place)
    }

    /// Throws why nothing can be set through the API, if so.
    package func checkWritable() throws {
        if let refusal = store.refusal { throw refusal }
    }
}

extension ConfigurationError.Problem {
    /// For a log of JSON.
    fileprivate var details: Logger.Metadata.Value {
        var fields: Logger.Metadata = [
            "file": "\(file)", "key": "\(path)", "message": "\(message)",
        ]
        if let place {
            fields["line"] = "\(place.line)"
            fields["column"] = "\(place.column)"
        }
        return .dictionary(fields)
    }
}
