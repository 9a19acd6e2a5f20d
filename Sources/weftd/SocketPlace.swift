import ControlAPI
import Glibc

/// Why the control socket cannot be put in its place.
package enum SocketPlaceError: Error, CustomStringConvertible, Equatable {
    /// Another daemon answers there.
    case inUse(path: String)
    /// Something that is no socket is there.
    case notASocket(path: String)
    /// No such group.
    case unknownGroup(String)
    /// A system call failed.
    case system(call: String, path: String, reason: String)

    package var description: String {
        switch self {
        case .inUse(let path): "another weftd already answers on \(path)"
        case .notASocket(let path): "\(path) is there and is no socket: remove it"
        case .unknownGroup(let name): "there is no group \(name) for the control socket"
        case .system(let call, let path, let reason): "\(call) \(path): \(reason)"
        }
    }
}

/// Puts a socket in its place with its mode and group already set.
///
/// The server binds it in a directory that is root's alone. Only when it listens, and its mode
/// and group are what they should be, it is renamed to where clients look: there is no moment at
/// which the socket is there and refuses, or is open to too many, whatever the umask. The rename
/// also replaces a socket that a daemon left behind.
struct SocketPlace: ~Copyable {
    private let path: String
    private let mode: mode_t
    private let group: gid_t
    private let directory: String
    private let descriptor: Int32

    /// Where the server has to bind. Goes by the directory's descriptor, so that it fits
    /// sun_path whenever the final path does.
    var bindPath: String { "/proc/self/fd/\(descriptor)/socket" }

    /// Makes the directory, and refuses if somebody answers on `path`. `group` is a name or a
    /// number; nil = `weft` where that group exists, else root.
    init(path: String, mode: UInt32, group: String?) throws(SocketPlaceError) {
        if let group, Self.group(named: group) == nil { throw .unknownGroup(group) }
        let owner = group.flatMap(Self.group(named:)) ?? Self.defaultGroup ?? getegid()
        try checkFree(path)
        let (directory, descriptor) = try makeDirectory(beside: path)
        self.path = path
        self.mode = mode_t(mode)
        self.group = owner
        self.directory = directory
        self.descriptor = descriptor
    }

    /// A group by its name or number; nil if there is none.
    static func group(named group: String) -> gid_t? { gid_t(group) ?? lookUpGroup(group) }

    /// `weft`, where that exists.
    static var defaultGroup: gid_t? { lookUpGroup("weft") }

    /// Shows the bound socket to clients.
    borrowing func publish() throws(SocketPlaceError) {
        let bound = directory + "/socket"
        guard chmod(bound, mode) == 0 else { throw .failure(of: "chmod", path) }
        guard chown(bound, geteuid(), group) == 0 else {
            guard errno == EPERM else { throw .failure(of: "chown", path) }
            throw .system(
                call: "chown", path: path,
                reason: "the daemon is not in group \(group): SupplementaryGroups= in the unit, or "
                    + "CAP_CHOWN")
        }
        guard rename(bound, path) == 0 else { throw .failure(of: "rename to", path) }
        // Empty now. Taken away at once, so that a daemon that is killed leaves no directory.
        rmdir(directory)
    }

    /// Takes the socket away: a client that finds none knows that nobody is there.
    borrowing func withdraw() {
        unlink(path)
    }

    deinit {
        unlink(directory + "/socket")
        rmdir(directory)
        close(descriptor)
    }
}

extension SocketPlaceError {
    fileprivate static func failure(of call: String, _ path: String) -> SocketPlaceError {
        .system(call: call, path: path, reason: String(cString: strerror(errno)))
    }
}

/// A directory of root's alone on the same file system, open, so that a rename can leave it.
private func makeDirectory(
    beside path: String
) throws(SocketPlaceError) -> (path: String, descriptor: Int32) {
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let parent = slash.map { String(path[..<$0]) } ?? "."
    if mkdir(parent, 0o755) != 0, errno != EEXIST { throw .failure(of: "mkdir", parent) }
    var template = Array((parent + "/.weftd-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw .failure(of: "mkdtemp in", parent) }
    let directory = String(
        decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
        let error = SocketPlaceError.failure(of: "open", directory)
        rmdir(directory)
        throw error
    }
    return (directory, descriptor)
}

/// Throws unless nothing is at `path`, or a socket on which nobody listens.
private func checkFree(_ path: String) throws(SocketPlaceError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
        guard errno == ENOENT else { throw .failure(of: "stat", path) }
        return
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
    do {
        try ControlClient(socket: path, timeoutSeconds: 2).probe()
    } catch .notRunning {
        return
    } catch {
        // A socket that cannot be reached is somebody's all the same.
    }
    throw .inUse(path: path)
}

private func lookUpGroup(_ name: String) -> gid_t? {
    getgrnam(name)?.pointee.gr_gid
}
