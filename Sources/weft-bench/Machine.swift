import BenchSupport
import FoundationEssentials
import Glibc
import Lab

extension MachineDescription {
    /// Packages whose programs take part.
    private static let packages = [
        "ethtool", "iperf3", "iproute2", "libc6", "liburing2", "nftables", "openvswitch-switch",
        "sockperf",
    ]

    /// The machine that this program runs on.
    static func current() -> MachineDescription {
        #if DEBUG
        let build = "debug: not for quoting"
        #else
        let build = "release"
        #endif
        return MachineDescription(
            cpus: sysconf(Int32(_SC_NPROCESSORS_ONLN)), cpu: cpuModel(), kernel: kernelRelease(),
            build: build, packages: packageVersions())
    }

    /// A line for a person.
    var summary: String { "\(cpus) CPUs (\(cpu)), Linux \(kernel), weft-bench built for \(build)" }

    private static func kernelRelease() -> String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static func cpuModel() -> String {
        let text = (try? readText("/proc/cpuinfo")) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown"
    }

    /// Of those that are installed, on a system that has dpkg(1).
    private static func packageVersions() -> [String: String] {
        let query = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n"] + packages
        guard let listing = try? Command(query).run().stdout else { return [:] }
        let pairs = listing.split(separator: "\n").map { $0.split(separator: " ") }
        return Dictionary(
            pairs.filter { $0.count == 2 }.map { (String($0[0]), String($0[1])) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// The revision of the working directory: its short hash, `-dirty` behind it where files that git
/// knows were changed; unknown without git.
func currentCommit() -> String {
    let describe = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    guard let result = try? Command(describe).run(), result.succeeded else { return "unknown" }
    return String(result.stdout.prefix { $0 != "\n" })
}

/// The time, in UTC: 2026-01-31T23:59:59Z.
func currentDate() -> String { Date().formatted(.iso8601) }
