import ArgumentParser
import ControlAPI

/// A kind of objects that a host has several of, each with a name.
protocol ObjectKind {
    associatedtype Status: Codable & Sendable & Equatable
    associatedtype Fields: ObjectFields
    /// `network`, `port` or `peer`.
    static var kind: String { get }
    /// All of them, in a table.
    static func table(_ objects: [ObjectReply<Status>]) -> String
}

/// The options that say what an object should be. What is left out stays as it is.
protocol ObjectFields: ParsableArguments {
    var gathered: FieldChanges { get }
}

extension ObjectKind {
    fileprivate static func objects(_ client: ControlClient) -> ObjectClient<Status> {
        ObjectClient(client: client, kind: kind)
    }

    /// The commands of this kind.
    static var commands: [any ParsableCommand.Type] {
        [
            ListObjects<Self>.self, ShowObject<Self>.self, AddObject<Self>.self,
            SetObject<Self>.self, RemoveObject<Self>.self,
        ]
    }
}

/// `weft port list` and its like.
struct ListObjects<Kind: ObjectKind>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "All \(Kind.kind)s, in a table.")
    }
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        try daemon.show("/v1/\(Kind.kind)s") { client in
            Kind.table(try Kind.objects(client).list().items)
        }
    }
}

/// `weft port show NAME` and its like.
struct ShowObject<Kind: ObjectKind>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show", abstract: "One \(Kind.kind): what is wanted of it, and how it is.")
    }
    @Argument(help: "Its name.") var name: String
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        try daemon.show("/v1/\(Kind.kind)s/\(escaped(name))") { client in
            try ObjectScreen.render(Kind.kind, name, try Kind.objects(client).get(name).reply)
        }
    }
}

/// `weft port add NAME` and its like.
struct AddObject<Kind: ObjectKind>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "add", abstract: "Add a \(Kind.kind). It is kept across restarts.")
    }
    @Argument(help: "Its name.") var name: String
    @OptionGroup var fields: Kind.Fields
    @Flag(help: "Make one that is there already what is said here.") var mayExist = false
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        try Kind.objects(daemon.client).add(name, fields.gathered.fields, mayExist: mayExist)
    }
}

/// `weft port set NAME` and its like.
struct SetObject<Kind: ObjectKind>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "set",
            abstract: "Change fields of a \(Kind.kind); others keep theirs, and traffic goes on.")
    }
    @Argument(help: "Its name.") var name: String
    @OptionGroup var fields: Kind.Fields
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        let changes = fields.gathered.changes
        guard !changes.isEmpty else { throw ValidationError("nothing to change was given") }
        try Kind.objects(daemon.client).change(name, changes)
    }
}

/// `weft port remove NAME` and its like.
struct RemoveObject<Kind: ObjectKind>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "remove",
            abstract: "Take away a \(Kind.kind) that was added; the file's of that name is back.",
            aliases: ["rm", "del"])
    }
    @Argument(help: "Its name.") var name: String
    @Flag(help: "Do nothing if there is none.") var ifExists = false
    @OptionGroup var daemon: SocketOptions

    func run() throws {
        do {
            try Kind.objects(daemon.client).remove(name)
        } catch ControlError.refused(404, _) where ifExists {}
    }
}
