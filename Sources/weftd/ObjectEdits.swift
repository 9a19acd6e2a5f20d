// The changes of single objects and of the whole that the API offers, each as a new overlay.

import Catalog
import ControlAPI
import FlyingFox

/// An object as it is wanted.
struct DesiredObject: Sendable {
    /// With the keys of the configuration file.
    var spec: JSONTree
    var origin: ObjectOrigin
}

extension DesiredState {
    /// An object as it is wanted; nil if there is none.
    func object(_ section: Overlay.Section, _ name: String) -> DesiredObject? {
        guard let spec = configuration.objects(section).first(where: { $0.name == name })?.json,
            let origin = origin(section, name)
        else { return nil }
        return DesiredObject(spec: spec, origin: origin)
    }

    /// Adds an object or changes it. `body` has the keys of the configuration file.
    /// - Returns: what it is then, and whether it is new.
    func put(
        _ section: Overlay.Section, _ name: String, _ body: JSONTree, _ condition: Condition
    ) throws -> (DesiredObject, isNew: Bool) {
        let what = "\(section.singular) \(name)"
        let before = object(section, name)
        try condition.check(before.map { contentTag(of: $0.spec) }, what)
        guard case .object(var fields) = body else {
            throw Refusal(
                .unprocessableContent, "expected an object with the keys of a \(section.singular)")
        }
        if let given = fields["name"], given != .string(name) {
            throw Refusal(
                field: "name", "it is not the name in the path, `\(name)`: leave it out")
        }
        fields["name"] = .string(name)
        try refusing("\(section.rawValue)/\(name)") {
            try change(to: try overlay(with: fields, section, name))
        }
        guard let after = object(section, name) else {
            throw Refusal(.internalServerError, "\(what) is not there after it was set")
        }
        return (after, before == nil)
    }

    /// The overlay with an object that a client describes. It is kept as we would write it, so that
    /// equal objects are equal, and not at all where the file has it just so.
    private func overlay(
        with fields: [String: JSONTree], _ section: Overlay.Section, _ name: String
    ) throws -> Overlay {
        var new = overlay
        new[section, name] = .object(fields)
        let endpoints = overlay.endpoints[name] ?? [:]
        let saysEndpoints =
            section == .networks && fields["endpoints"].map { $0 != .null } ?? false
        // A network that says which endpoints it has, has these.
        if saysEndpoints { new.endpoints[name] = nil }
        let read = try Configuration.parse(file, with: new, from: "API").objects(section)
        guard case .object(var written)? = read.first(where: { $0.name == name })?.json else {
            return new
        }
        if section == .networks, !saysEndpoints {
            written["endpoints"] = nil
        } else if case .array(let said)? = written["endpoints"] {
            // Those that were set one by one just so stay what they are.
            let single = said.filter { endpoint in
                endpoint["mac"]?.text.map { endpoints[$0] == endpoint } ?? false
            }
            for endpoint in single {
                new[network: name, mac: endpoint["mac"]?.text ?? ""] = endpoint
            }
            let rest = said.filter { !single.contains($0) }
            written["endpoints"] = rest.isEmpty ? nil : .array(rest)
        }
        let isAsInFile = fileObjects[section]?[name] == .object(written)
        new[section, name] = isAsInFile ? nil : .object(written)
        return new
    }

    /// Takes away what was set; what the file has of that name is back.
    func remove(_ section: Overlay.Section, _ name: String, _ condition: Condition) throws {
        let what = "\(section.singular) \(name)"
        let before = object(section, name)
        try condition.check(before.map { contentTag(of: $0.spec) }, what)
        guard before != nil else { throw Refusal(.notFound, "there is no \(what)") }
        guard overlay[section, name] != nil else {
            throw Refusal(
                .conflict,
                "\(what) is in \(file.name): take it out there and reload; nothing was changed")
        }
        var new = overlay
        new[section, name] = nil
        if section == .networks, fileObjects[.networks]?[name] == nil { new.endpoints[name] = nil }
        // What is wrong then is that others need it.
        try refusing("\(section.rawValue)/\(name)", as: .conflict) { try change(to: new) }
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
    func refusing<Result>(
        _ subject: String, as status: HTTPStatusCode = .unprocessableContent,
        _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as ConfigurationError {
            throw Refusal(error, subject: subject, status)
        } catch let error as FileObjectsMissing {
            throw Refusal(
                .conflict,
                "the document lacks \(error.objects.joined(separator: ", ")), and \(file.name) has "
                    + "that: take it out there and reload first; nothing was changed")
        } catch let error as SectionsDiffer {
            throw Refusal(
                .conflict,
                error.sections.joined(separator: ", ")
                    + ": not what this daemon runs with, and read at start only: leave it out; "
                    + "nothing was changed")
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
    fileprivate init(_ error: ConfigurationError, subject: String, _ status: HTTPStatusCode) {
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
        self.init(status, ErrorReply(error: text, problems: problems))
    }
}
