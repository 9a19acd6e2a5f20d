import Foundation
import Glibc
import Ports
import Synchronization
import Testing

/// What tests need that make interfaces; without it they show as skipped.
let isRoot = geteuid() == 0

/// A network namespace of the test's own, with loopback up, removed with this object.
final class TestNamespace: Sendable {
    private static let count = Atomic<Int>(0)

    let name: String
    var namespace: NetworkNamespace { NetworkNamespace(name) }

    init() throws {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        name = "weft-ports-\(getpid())-\(number)"
        try run("ip", "netns", "add", name)
        try inside("ip", "link", "set", "lo", "up")
    }

    deinit {
        _ = try? run("ip", "netns", "delete", name)
    }

    /// Runs a command inside; throws if it fails.
    @discardableResult
    func inside(_ command: String...) throws -> String {
        try run(["ip", "netns", "exec", name] + command)
    }

    /// Runs a command inside and tells whether it succeeded.
    func succeeds(_ command: String...) -> Bool {
        (try? run(["ip", "netns", "exec", name] + command)) != nil
    }

    /// A veth pair between this namespace and another, both ends up.
    func connect(_ name: String, to other: TestNamespace, _ otherName: String) throws {
        try inside(
            "ip", "link", "add", name, "type", "veth", "peer", "name", otherName, "netns",
            other.name)
        try inside("ip", "link", "set", name, "up")
        try other.inside("ip", "link", "set", otherName, "up")
    }
}

struct CommandFailure: Error {
    let command: [String]
    let output: String
}

@discardableResult
func run(_ command: String...) throws -> String { try run(command) }

@discardableResult
func run(_ command: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    let pipe = Foundation.Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: output, as: UTF8.self)
    guard process.terminationStatus == 0 else {
        throw CommandFailure(command: command, output: text)
    }
    return text
}

/// Waits for `descriptor` to be readable, two seconds at most.
func waitReadable(_ descriptor: Int32, milliseconds: Int32 = 2000) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) == 1
}

/// Tries until `condition` holds, two seconds at most.
///
/// What another test runs holds copies of all descriptors between fork and exec, so that closing
/// the last one takes effect a moment late.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<200 {
        if try condition() { return true }
        usleep(10_000)
    }
    return try condition()
}
