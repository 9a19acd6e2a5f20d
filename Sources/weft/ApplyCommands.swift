import ArgumentParser
package import ControlAPI
import Glibc

/// Where a desired state is read from.
struct DocumentArgument: ParsableArguments {
    @Argument(help: "A file with the keys of the configuration file, in YAML or JSON; - for stdin.")
    var file: String

    func read() throws -> [UInt8] {
        let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable() }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw unreadable() }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    private func unreadable() -> ValidationError {
        ValidationError("\(file) cannot be read: \(String(cString: strerror(errno)))")
    }
}

extension ControlClient {
    /// Has the daemon take over a desired state, or say what that would change.
    fileprivate func apply(_ document: [UInt8], dryRun: Bool) throws -> (ApplyReply, [UInt8]) {
        let (value, reply) = try ask(
            ApplyReply.self, "POST", "/v1/apply" + (dryRun ? "?dryRun=true" : ""), body: document)
        return (value, reply.body)
    }
}

/// `weft apply`: a whole desired state.
struct ApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Have networks, ports and peers be what a file says, whole or not at all.",
        discussion: """
            A section that the file has (networks, ports, peers) is meant whole; one that it \
            leaves out stays. Traffic of what stays goes on. It is kept across restarts. What is \
            in the daemon's own configuration file can be changed, and only there be taken away.

            Examples:
              weft apply site.yaml
              weft diff site.yaml && echo nothing to do
            """)

    @OptionGroup var document: DocumentArgument
    @Flag(help: "Only say what would change.") var dryRun = false
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        let (reply, body) = try daemon.client.apply(document.read(), dryRun: dryRun)
        if daemon.json {
            print(String(decoding: body, as: UTF8.self), terminator: "")
        } else {
            print(ChangesScreen.render(reply.changes), terminator: "")
        }
    }
}

/// `weft diff`: what apply would do.
struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "What `weft apply` of a file would change.",
        discussion: """
            Ends with 0 if nothing, 1 if something, 2 if the file is wrong or nobody answers, as \
            diff(1) does.

            Examples:
              weft diff site.yaml
              weft diff /etc/weft/weft.yaml       (what would go if the file were all there is)
            """)

    @OptionGroup var document: DocumentArgument
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        let reply: ApplyReply
        let body: [UInt8]
        do {
            (reply, body) = try daemon.client.apply(document.read(), dryRun: true)
        } catch {
            let complaint = "Error: \(error)\n"
            write(STDERR_FILENO, complaint, complaint.utf8.count)
            throw ExitCode(2)
        }
        if daemon.json {
            print(String(decoding: body, as: UTF8.self), terminator: "")
        } else if !reply.changes.isEmpty {
            print(ChangesScreen.render(reply.changes), terminator: "")
        }
        if !reply.changes.isEmpty { throw ExitCode(1) }
    }
}

/// What changes, a line for each field.
package enum ChangesScreen {
    /// `+` comes, `-` goes, `~` changes.
    package static func render(_ changes: [ObjectChange]) -> String {
        guard !changes.isEmpty else { return "nothing has changed\n" }
        return changes.map { change in
            let sign =
                switch change.action {
                case .add: "+"
                case .change: "~"
                case .remove: "-"
                }
            let keys = Set(change.before.keys + change.after.keys).subtracting(["name"]).sorted()
            let fields = keys.filter { change.before?[$0] != change.after?[$0] }.map { key in
                let (from, to) = (change.before?[key]?.cell, change.after?[key]?.cell)
                let text =
                    change.action == .change
                    ? "\(from ?? "(default)") -> \(to ?? "(default)")" : to ?? from ?? ""
                return "    \(key): \(text)\n"
            }
            return "\(sign) \(change.kind) \(change.name)\n"
                + (change.action == .remove ? "" : fields.joined())
        }.joined()
    }
}

extension JSONTree? {
    fileprivate var keys: [String] {
        if case .object(let fields)? = self { Array(fields.keys) } else { [] }
    }
}
