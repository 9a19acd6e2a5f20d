import CLinux
import Glibc

/// A network namespace, by name or by path.
public struct NetworkNamespace: Sendable, Hashable, CustomStringConvertible {
    /// Where its file is.
    public let path: String

    /// A namespace by its name under /run/netns (as `ip netns` keeps them), or by a path.
    public init(_ nameOrPath: String) {
        path = nameOrPath.contains("/") ? nameOrPath : "/run/netns/\(nameOrPath)"
    }

    public var description: String { path }

    /// A process's own file takes more than the daemon keeps.
    private var openAdvice: String? {
        guard path.hasPrefix("/proc/"), Glibc.errno == EACCES || Glibc.errno == EPERM else {
            return nil
        }
        return "give the namespace a name (ip netns attach NAME PID), and use that"
    }

    /// What tells namespaces of the same name apart: device and inode of the file.
    public struct Identity: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    /// The namespace that the path stands for now; nil if there is none.
    public var identity: Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// What `namespace` is now, nil for that of the calling thread.
    static func identity(of namespace: NetworkNamespace?) -> Identity? {
        (namespace ?? NetworkNamespace("/proc/thread-self/ns/net")).identity
    }

    /// Runs `body` inside `namespace`, or right here without one.
    ///
    /// The calling thread stays where it is: a thread is made that enters the namespace and ends
    /// with the call. Sockets and TAP queues keep the namespace in which they were opened.
    public static func run<Result: ~Copyable>(
        in namespace: NetworkNamespace?, _ body: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        guard let namespace else { return try body() }
        let descriptor = try OwnedDescriptor(
            open(namespace.path, O_RDONLY | O_CLOEXEC), of: "open \(namespace.path)",
            advice: namespace.openAdvice)
        var result: Result?
        var failure: SystemError?
        try onThread {
            guard weft_enter_network_namespace(descriptor.number) == 0 else {
                failure = .last(
                    "setns \(namespace.path)", advice: Capability.advice("CAP_SYS_ADMIN"))
                return
            }
            do throws(SystemError) {
                result = try body()
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard let result = result.take() else {
            throw SystemError(call: "setns \(namespace.path)", errno: ECHILD)
        }
        return result
    }

    /// Runs `work` on a thread of its own and waits for its end.
    private static func onThread(_ work: () -> Void) throws(SystemError) {
        let refusal = withoutActuallyEscaping(work) { work in
            var thread = pthread_t()
            let job = Unmanaged.passRetained(Job(work))
            let refusal = pthread_create(
                &thread, nil,
                { argument in
                    // SAFETY: `argument` is the retained job of the caller, who waits below.
                    if let argument {
                        Unmanaged<Job>.fromOpaque(argument).takeUnretainedValue().work()
                    }
                    return nil
                }, job.toOpaque())
            if refusal == 0 { pthread_join(thread, nil) }
            job.release()
            return refusal
        }
        guard refusal == 0 else { throw SystemError(call: "pthread_create", errno: refusal) }
    }

    private final class Job {
        let work: () -> Void
        init(_ work: @escaping () -> Void) { self.work = work }
    }
}
