// The changes of single objects and of the whole that the API offers, each as a new overlay.

import Catalog
import ControlAPI
import FlyingFox

extension DesiredState {
    /// An object as it is wanted; nil if there is none.
    func spec(_ section: Overlay.Section, _ name: String) -> JSONTree? {
        configuration.objects(section).first { $0.name == name }?.json
    }

    /// Adds an object or changes it. `body` has the keys of the configuration file.
    /// - Returns: whether it is new.
    func put(
        _ section: Overlay.Section, _ name: String, _ body: JSONTree, _ condition: Condition
    ) throws -> Bool {
        let what = "\(section.singular) \(name)"
        let before = spec(section, name)
        try condition.check(before.map(contentTag), what)
        guard case .object(var fields) = body else {
            throw Refusal(
                .unprocessableContent, "expected an object with the keys of a \(section.singular)")
        }
        if let given = fields["name"], given != .string(name) {
            throw Refusal(
                field: "name", "it is not the name in the path, `\(name)`: leave it out")
        }
        fields["name"] = .string(name)
        var new = overlay
        new[section, name] = .object(fields)
        // A network that says which endpoints it has, has these.
        let saysEndpoints = section == .networks && fields["endpoints"] != nil
        if saysEndpoints { new.endpoints[name] = nil }
        try refusing("\(section.rawValue)/\(name)") {
            let read = try Configuration.parse(file, with: new, from: "API")
            let object = read.objects(section).first { $0.name == name }?.json
            // Kept as we would write it, so that equal objects are equal.
            if case .object(var fields)? = object {
                if section == .networks, !saysEndpoints { fields["endpoints"] = nil }
                new[section, name] = .object(fields)
            }
            try change(to: new, reading: read)
        }
        return before == nil
    }

    /// Takes away what was set; what the file has of that name is back.
    func remove(_ section: Overlay.Section, _ name: String, _ condition: Condition) throws {
        let what = "\(section.singular) \(name)"
        let before = spec(section, name)
        try condition.check(before.map(contentTag), what)
        guard before != nil else { throw Refusal(.notFound, "there is no \(what)") }
        guard overlay[section, name] != nil else {
            throw Refusal(
                .conflict,
                "\(what) is in \(file.name): take it out there and reload; nothing was changed")
        }
        var new = overlay
        new[section, name] = nil
        if section == .networks, fileObjects[.networks]?[name] == nil { new.endpoints[name] = nil }
        try refusing("\(section.rawValue)/\(name)") { try change(to: new) }
    }

    /// Has networks, ports and peers be what a document says.
    func apply(_ text: String, dryRun: Bool, _ condition: Condition) throws -> ApplyReply {
        try condition.check(revision, "the desired state")
        let document = ConfigurationFile(name: "document", text: text)
        let changes = try refusing("") {
            try change(to: try overlay.covering(document, over: file), dryRun: dryRun)
        }
        return ApplyReply(applied: !dryRun, revision: revision, changes: changes)
    }

    /// Makes refusals of errors. `subject` is the object that the request is about, like
    /// `ports/vm1`: fields of it are named without it.
    @discardableResult
    func refusing<Result>(_ subject: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as ConfigurationError {
            throw Refusal(error, subject: subject)
        } catch let error as FileObjectsMissing {
            throw Refusal(
                .conflict,
                "the document lacks \(error.objects.joined(separator: ", ")), and \(file.name) has "
                    + "that: take it out there and reload first; nothing was changed")
        } catch let error as StateFileError {
            throw Refusal(.serviceUnavailable, "\(error); nothing was changed")
        } catch {
            throw Refusal(.conflict, "\(error)")
        }
    }
}

extension Refusal {
    /// A field that is wrong.
    init(field: String, _ message: String) {
        self.init(
            .unprocessableContent,
            ErrorReply(
                error: "\(field): \(message)",
                problems: [RequestProblem(field: field, message: message)]))
    }

    /// All that is wrong with a configuration that a request would have made.
    fileprivate init(_ error: ConfigurationError, subject: String) {
        let problems = error.problems.map { problem in
            var field = problem.path
            if field == subject { field = "" }
            if field.hasPrefix(subject + ".") { field.removeFirst(subject.utf8.count + 1) }
            return RequestProblem(
                field: field, message: problem.message, line: problem.place?.line)
        }
        let text = zip(problems, error.problems).map { problem, original in
            // Lines are those of a document or of the configuration file.
            if original.place != nil { return original.description }
            return problem.field.isEmpty ? problem.message : "\(problem.field): \(problem.message)"
        }.joined(separator: "\n")
        self.init(.unprocessableContent, ErrorReply(error: text, problems: problems))
    }
}
