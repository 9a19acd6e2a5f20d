import FoundationEssentials
import Glibc

func readFile(_ path: String) throws -> String {
    String(decoding: try readBytes(path), as: UTF8.self)
}

/// Reads a whole file, also one of /proc, which shows no size.
func readBytes(_ path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw LabError.system(call: "open \(path)", code: errno) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(file, &chunk, chunk.count)
        guard count >= 0 else { throw LabError.system(call: "read \(path)", code: errno) }
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}

func writeFile(_ path: String, _ text: String) throws {
    try writeBytes(path, Array(text.utf8))
}

/// Replaces what is in a file; creates it if it is not there. What fits goes with one write(2),
/// as /proc expects.
func writeBytes(_ path: String, _ bytes: [UInt8]) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw LabError.system(call: "open \(path)", code: errno) }
    defer { close(file) }
    try writeAll(file, bytes)
}

/// Writes all to a descriptor that blocks.
func writeAll(_ file: Int32, _ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard count > 0 else { throw LabError.system(call: "write", code: errno) }
        rest.removeFirst(count)
    }
}

/// The names in a directory, in no order; none if it cannot be read.
func directoryEntries(_ path: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
}
