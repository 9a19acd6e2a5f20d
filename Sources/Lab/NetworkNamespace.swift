import CLinux
import Glibc

/// A named network namespace, as ip-netns(8) keeps them under /run/netns.
public struct NetworkNamespace: Sendable, Hashable, Codable {
    /// Its name, unique on the machine.
    public let name: String

    /// The namespace of that name, which need not exist yet.
    public init(_ name: String) { self.name = name }

    /// Where it is mounted.
    public var path: String { "/run/netns/\(name)" }

    /// Whether it exists.
    public var exists: Bool { access(path, F_OK) == 0 }

    /// Runs a command inside and waits for it.
    public func run(
        _ arguments: [String], input: String? = nil, timeout: Duration = .seconds(10)
    ) throws -> CommandResult {
        try Command(arguments, input: input, timeout: timeout).inside(self).run()
    }

    /// Whether an interface of this name is inside.
    public func hasInterface(_ name: String) throws -> Bool {
        try enter { if_nametoindex(name) != 0 }
    }

    /// Writes values below /proc/sys/net inside; the paths are relative to it.
    func setSysctls(_ values: [(path: String, value: String)]) throws {
        try enter {
            for (path, value) in values {
                try writeFile("/proc/sys/net/\(path)", value)
            }
        }
    }

    /// The value of a counter inside, from /proc/net/snmp: `counter("InEchos", of: "Icmp")`.
    public func counter(_ name: String, of group: String) throws -> UInt64? {
        let text = try enter { try readFile("/proc/thread-self/net/snmp") }
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("\(group): ") }
            .map { $0.split(separator: " ") }
        guard rows.count == 2, let column = rows[0].firstIndex(of: Substring(name)),
            column < rows[1].count
        else { return nil }
        return UInt64(rows[1][column])
    }

    /// Whether something inside listens on a TCP port.
    public func isListening(onTCP port: UInt16) throws -> Bool {
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        let tables = try enter {
            try ["tcp", "tcp6"].map { try readFile("/proc/thread-self/net/\($0)") }
        }
        // Columns: slot, local address, remote address, state (0A is LISTEN), ...
        return tables.joined().split(separator: "\n").contains { line in
            let columns = line.split(separator: " ")
            return columns.count > 3 && columns[1].hasSuffix(suffix) && columns[3] == "0A"
        }
    }

    /// Runs a closure on this thread inside the namespace: what it opens and asks is of there.
    ///
    /// Costs two system calls and no process. The closure must not hand work to other threads.
    func enter<Result>(_ body: () throws -> Result) throws -> Result {
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { throw LabError.system(call: "open ns/net", code: errno) }
        defer { close(home) }
        let there = open(path, O_RDONLY | O_CLOEXEC)
        guard there >= 0 else { throw LabError.system(call: "open \(path)", code: errno) }
        defer { close(there) }
        guard weft_enter_network_namespace(there) == 0 else {
            throw LabError.system(call: "setns \(name)", code: errno)
        }
        defer {
            // A thread that cannot go home would do everything after this in the wrong network.
            precondition(weft_enter_network_namespace(home) == 0, "setns: no way back")
        }
        return try body()
    }
}

func readFile(_ path: String) throws -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw LabError.system(call: "open \(path)", code: errno) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(file, &chunk, chunk.count)
        guard count >= 0 else { throw LabError.system(call: "read \(path)", code: errno) }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}

/// Writes a whole file with one write(2), as /proc expects; creates it if it is not there.
func writeFile(_ path: String, _ text: String, flags: Int32 = O_TRUNC) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o644)
    guard file >= 0 else { throw LabError.system(call: "open \(path)", code: errno) }
    defer { close(file) }
    var text = text
    let written = text.withUTF8 { write(file, $0.baseAddress, $0.count) }
    guard written == text.utf8.count else {
        throw LabError.system(call: "write \(path)", code: errno)
    }
}
