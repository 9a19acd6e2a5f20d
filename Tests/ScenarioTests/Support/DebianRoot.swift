import FoundationEssentials
import Glibc
import Lab

/// A Debian of its own in a folder, with the libraries that the package depends on and nothing
/// else of this machine's, as scripts/install.sh left it packed. Goes with its value.
final class DebianRoot {
    private let path: String

    private static var tarball: String {
        "\(getenv("WEFT_CACHE").map { String(cString: $0) } ?? "/var/cache/weft")/debian.tar.gz"
    }

    /// Whether one can be made.
    static var isPossible: Bool { access(tarball, R_OK) == 0 }

    init() throws {
        path = "/tmp/weft-debian-\(getpid())"
        try Command(["mkdir", path]).check()
        try Command(
            ["tar", "-xzf", Self.tarball, "-C", path], timeout: .seconds(120)
        ).check()
    }

    deinit { _ = try? Command(["rm", "-rf", "--one-file-system", path]).run() }

    /// A command line that runs another within. What it mounts is seen by it alone, and goes with
    /// it.
    func inside(_ arguments: [String]) -> [String] {
        let script = """
            set -e
            mount --rbind /proc "$0/proc"
            mount --rbind /dev "$0/dev"
            exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LC_ALL=C \
                DEBIAN_FRONTEND=noninteractive "$@"
            """
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, path]
            + arguments
    }

    /// Runs a command on a host, within, and returns what it says; throws if it fails.
    @discardableResult
    func run(on host: Host, _ arguments: String...) throws -> String {
        try Command(inside(arguments), timeout: .seconds(120)).inside(host.namespace).check()
    }

    /// Copies a file of this machine to a place within.
    func copy(_ file: String, to place: String) throws {
        try Command(["cp", file, path + place]).check()
    }

    /// Writes a file within, a program if it begins with `#!`.
    func write(_ place: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path + place))
        if text.hasPrefix("#!") { chmod(path + place, 0o755) }
    }

    /// What a file within holds; nothing, if there is none.
    func read(_ place: String) -> String {
        let data = try? Data(contentsOf: URL(filePath: path + place))
        return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Whether something is at a place within, be it a link that leads nowhere.
    func has(_ place: String) -> Bool {
        var status = stat()
        return lstat(path + place, &status) == 0
    }
}
