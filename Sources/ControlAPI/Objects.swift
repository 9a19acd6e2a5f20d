/// Where a network, port or peer comes from.
public enum ObjectOrigin: String, Codable, Sendable, CaseIterable {
    /// From the configuration file.
    case file
    /// Set through the API; the file has none of that name.
    case api
    /// Set through the API, in place of the file's of that name.
    case override
}

/// A network, port or peer: the reply to `GET /v1/ports/{name}` and its like.
public struct ObjectReply<ObjectStatus: Codable & Sendable & Equatable>: Codable, Sendable,
    Equatable
{
    /// What is wanted, with the keys of the configuration file. `PUT` takes it.
    public var spec: JSONTree
    /// Where that comes from.
    public var origin: ObjectOrigin
    /// What is.
    public var status: ObjectStatus?

    /// An object of these parts.
    public init(spec: JSONTree, origin: ObjectOrigin, status: ObjectStatus?) {
        self.spec = spec
        self.origin = origin
        self.status = status
    }
}

/// The reply to `GET /v1/ports` and its like.
public struct ObjectList<ObjectStatus: Codable & Sendable & Equatable>: Codable, Sendable, Equatable
{
    /// Which desired state this is of: the `ETag` of the reply without its quotes.
    public var revision: String
    /// The objects, by name.
    public var items: [ObjectReply<ObjectStatus>]

    /// These objects of this revision.
    public init(revision: String, items: [ObjectReply<ObjectStatus>]) {
        self.revision = revision
        self.items = items
    }
}

/// One difference between two desired states.
public struct ObjectChange: Codable, Sendable, Equatable {
    /// What becomes of an object.
    public enum Action: String, Codable, Sendable, CaseIterable {
        case add, change, remove
    }

    /// `network`, `port` or `peer`.
    public var kind: String
    /// Its name.
    public var name: String
    /// What becomes of it.
    public var action: Action
    /// What it was; nil if it was not.
    public var before: JSONTree?
    /// What it becomes; nil if it goes.
    public var after: JSONTree?

    /// A difference: `before` is nil for what was not there, `after` for what goes.
    public init(kind: String, name: String, _ before: JSONTree?, _ after: JSONTree?) {
        self.kind = kind
        self.name = name
        action = before == nil ? .add : after == nil ? .remove : .change
        self.before = before
        self.after = after
    }
}

extension ObjectChange {
    /// In two words: `+port vm7`.
    public var mark: String {
        let sign =
            switch action {
            case .add: "+"
            case .change: "~"
            case .remove: "-"
            }
        return "\(sign)\(kind) \(name)"
    }

    /// The same without what the object was and becomes.
    public var brief: ObjectChange {
        var change = self
        change.before = nil
        change.after = nil
        return change
    }
}

/// The reply to `POST /v1/apply`.
public struct ApplyReply: Codable, Sendable, Equatable {
    /// Whether it was done; false after `?dryRun`.
    public var applied: Bool
    /// Which desired state there is now: the `ETag` without its quotes.
    public var revision: String
    /// What was, or would be, changed.
    public var changes: [ObjectChange]

    /// A reply of these parts.
    public init(applied: Bool, revision: String, changes: [ObjectChange]) {
        self.applied = applied
        self.revision = revision
        self.changes = changes
    }
}

/// One thing that is wrong with a request.
public struct RequestProblem: Codable, Sendable, Equatable {
    /// Which key, like `macs[0]`; with the object where it is not that of the request, like
    /// `ports/vm2.device`. Empty for the whole.
    public var field: String
    /// What is wrong, what was expected and how to mend it.
    public var message: String
    /// Line of the document, from 1, where there is one.
    public var line: Int?

    /// A problem with a field.
    public init(field: String, message: String, line: Int? = nil) {
        self.field = field
        self.message = message
        self.line = line
    }
}
