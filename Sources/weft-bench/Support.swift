import Glibc

/// Something that a person has to see to; the text says what.
struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }

    /// A system call that failed, with the reason in errno.
    static func system(_ call: String, code: Int32 = errno) -> BenchError {
        BenchError("\(call): \(String(cString: strerror(code)))")
    }
}

/// The time of a clock that only goes forward.
func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// Sleeps until a moment of `monotonicNanoseconds`, or a signal.
func sleepUntil(_ nanoseconds: UInt64) {
    var moment = timespec(
        tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, nil)
}

/// The text of a small file, or one of /proc.
func readText(_ path: String) throws -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw BenchError.system("open \(path)") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
        let count = read(file, &chunk, chunk.count)
        guard count >= 0 else { throw BenchError.system("read \(path)") }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}

/// A number with a fixed count of decimal places.
func decimal(_ value: Double, places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = Int64((value * scale).rounded())
    guard places > 0 else { return "\(scaled)" }
    let digits = String(scaled.magnitude)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return (scaled < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
}

/// A share in percent.
func percent(_ share: Double) -> String { "\(decimal(share * 100, places: 0)) %" }
