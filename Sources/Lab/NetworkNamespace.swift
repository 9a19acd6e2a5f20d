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
        return ProtocolCounters(text)[name, of: group]
    }

    /// Whether something inside listens on a TCP port.
    public func isListening(onTCP port: UInt16) throws -> Bool {
        try hasSocket(in: ["tcp", "tcp6"], port, state: "0A")
    }

    /// Whether something inside takes datagrams at a UDP port.
    public func isBound(toUDP port: UInt16) throws -> Bool {
        try hasSocket(in: ["udp", "udp6"], port, state: "07")
    }

    /// Looks into tables of /proc/net (proc_net(5)), whose states are those of TCP: 0A is LISTEN,
    /// 07 CLOSE, which a UDP socket that is not connected is in.
    private func hasSocket(in tables: [String], _ port: UInt16, state: String) throws -> Bool {
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        let texts = try enter { try tables.map { try readFile("/proc/thread-self/net/\($0)") } }
        // Columns: slot, local address, remote address, state, ...
        return texts.joined().split(separator: "\n").contains { line in
            let columns = line.split(separator: " ")
            return columns.count > 3 && columns[1].hasSuffix(suffix) && columns[3] == state
        }
    }

    /// Runs a closure on this thread inside the namespace: what it opens and asks is of there.
    ///
    /// Costs two system calls and no process. The closure must not hand work to other threads.
    package func enter<Result>(_ body: () throws -> Result) throws -> Result {
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

/// The kernel's counters of the IP protocols, as /proc/net/snmp lists them.
public struct ProtocolCounters: Sendable {
    private let lines: [[Substring]]

    /// Takes the text of the file.
    public init(_ text: String) {
        lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: " ") }
    }

    /// A counter by its name and its group's, for example `["InEchos", of: "Icmp"]`.
    public subscript(name: String, of group: String) -> UInt64? {
        // Two lines of a group: the names, then the values.
        let rows = lines.filter { $0.first == Substring("\(group):") }
        guard rows.count == 2, let column = rows[0].firstIndex(of: Substring(name)),
            column < rows[1].count
        else { return nil }
        return UInt64(rows[1][column])
    }
}
