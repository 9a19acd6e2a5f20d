import Catalog
import ControlAPI
import Foundation
import Glibc
import Logging

/// Why what was set through the API cannot be kept or read.
struct StateFileError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    fileprivate static func failure(of call: String, _ path: String) -> StateFileError {
        StateFileError("\(call) \(path): \(String(cString: strerror(errno)))")
    }
}

/// The file that keeps what was set through the API.
///
/// A change is written beside it, flushed, and renamed over it, so that at any moment, and after a
/// crash at any moment, it holds one state whole. The state before stays as `.previous`. One daemon
/// at a time has it: it holds a lock on `.lock` for as long as it runs.
final class StateFile: Sendable {
    /// The format that this version writes, and the newest that it reads.
    static let format = 1

    let path: String
    private let lock: Result<Int32, StateFileError>

    /// Makes the directory, and takes the lock where that can be had: without it all can be read
    /// and nothing be written.
    init(path: String) {
        self.path = path
        lock = Result { () throws(StateFileError) in try Self.takeLock(path) }
    }

    deinit {
        if case .success(let descriptor) = lock { close(descriptor) }
    }

    /// Why nothing can be written; nil if it can.
    var refusal: StateFileError? {
        if case .failure(let error) = lock { error } else { nil }
    }

    private static func takeLock(_ path: String) throws(StateFileError) -> Int32 {
        let directory = (path as NSString).deletingLastPathComponent
        if mkdir(directory, 0o755) != 0, errno != EEXIST { throw .failure(of: "mkdir", directory) }
        let name = path + ".lock"
        let descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failure(of: "open", name) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isHeld = errno == EWOULDBLOCK
            let error = StateFileError.failure(of: "flock", name)
            close(descriptor)
            throw isHeld
                ? StateFileError(
                    "another weftd keeps its state in \(path): give each its own "
                        + "(control.state), and restart this one")
                : error
        }
        return descriptor
    }
}

// MARK: Reading

extension StateFile {
    /// What is kept; nothing if there is no such file yet.
    ///
    /// A file that cannot be understood is put aside as `.broken`, and the state before it is
    /// taken, or none: traffic of what the configuration file has goes on in any case.
    ///
    /// - Throws: `StateFileError` if the file is there and cannot be read, or is of a newer format.
    func load(_ logger: Logger) throws(StateFileError) -> Overlay {
        if let overlay = try readable(path, logger) { return overlay }
        let previous = path + ".previous"
        guard let overlay = try readable(previous, logger) else {
            // Neither there nor broken: nothing was ever set.
            if access(path + ".broken", F_OK) == 0 {
                logger.error("nothing that was set through the API is known; see \(path).broken")
            }
            return Overlay()
        }
        logger.error("\(path) is missing or broken: the state before is used instead")
        // Back in its place for the next start, which must not take it for never set.
        do {
            try prepare(overlay).commit()
        } catch {
            logger.warning("\(error)")
        }
        return overlay
    }

    /// What is kept at `path`, without touching anything.
    static func peek(_ path: String, _ logger: Logger) throws -> Overlay {
        guard let bytes = try read(path) else { return Overlay() }
        return try decode(bytes, path)
    }

    /// What a file says; nil if there is none, or if it makes no sense and was put aside.
    private func readable(_ name: String, _ logger: Logger) throws(StateFileError) -> Overlay? {
        guard let bytes = try Self.read(name) else { return nil }
        do {
            return try Self.decode(bytes, name)
        } catch let error as StateFileError {
            throw error
        } catch {
            logger.error("\(name) makes no sense (kept as \(name).broken): \(error)")
            rename(name, name + ".broken")
            return nil
        }
    }

    private static func decode(_ bytes: [UInt8], _ name: String) throws -> Overlay {
        let found = try JSON.decode(Header.self, from: bytes).format
        guard found <= format else {
            throw StateFileError(
                "\(name) has format \(found), and this version knows \(format): it was "
                    + "written by a newer weftd; upgrade, or move it away")
        }
        return try JSON.decode(Content.self, from: bytes).set
    }

    private static func read(_ name: String) throws(StateFileError) -> [UInt8]? {
        let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else {
                throw .failure(of: "open", name)
            }
            return nil
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            return Array(try handle.readToEnd() ?? Data())
        } catch {
            throw StateFileError("read \(name): \(error)")
        }
    }

    private struct Header: Codable {
        var format: Int
    }

    private struct Content: Codable {
        var format: Int
        var set: Overlay
    }
}

// MARK: Writing

extension StateFile {
    /// A state that is on disk, and not yet in its place.
    struct Prepared: ~Copyable {
        fileprivate let path: String
        fileprivate let written: String

        /// Puts it in its place. Should that fail, the file is as it was.
        consuming func commit() throws(StateFileError) {
            // By way of another name, so that there is a state before at any moment.
            let (previous, aside) = (path + ".previous", path + ".aside")
            unlink(aside)
            if link(path, aside) == 0 {
                guard rename(aside, previous) == 0 else {
                    throw .failure(of: "rename to", previous)
                }
            } else if errno != ENOENT {
                throw .failure(of: "link", aside)
            }
            guard rename(written, path) == 0 else { throw .failure(of: "rename to", path) }
            flushDirectory(of: path)
        }

        deinit { unlink(written) }
    }

    /// Writes a state beside the file, and flushes it.
    func prepare(_ overlay: Overlay) throws(StateFileError) -> Prepared {
        if let refusal { throw refusal }
        let name = path + ".new"
        let descriptor = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failure(of: "open", name) }
        defer { close(descriptor) }
        let prepared = Prepared(path: path, written: name)
        let bytes: [UInt8]
        do {
            bytes = try JSON.encodeForPeople(Content(format: Self.format, set: overlay))
        } catch {
            throw StateFileError("\(name): \(error)")
        }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .failure(of: "write", name) }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw .failure(of: "fsync", name) }
        return prepared
    }
}

/// Makes a rename last. Where that fails the rename has happened all the same, and is found again
/// unless the machine loses power now.
private func flushDirectory(of path: String) {
    let directory = (path as NSString).deletingLastPathComponent
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    fsync(descriptor)
}
