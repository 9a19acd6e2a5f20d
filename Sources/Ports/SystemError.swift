import Glibc

/// A system call that failed while something was set up, in one line for the operator.
public struct SystemError: Error, CustomStringConvertible, Equatable {
    /// The call and its subject, as in `TUNSETIFF tap0`.
    public let call: String
    /// The error number it gave, positive.
    public let errno: Int32
    /// What to do about it, or `nil` where only the error itself can be reported.
    public let advice: String?

    /// An error of `call`; give `advice` where there is something that the operator can do.
    public init(call: String, errno: Int32, advice: String? = nil) {
        self.call = call
        self.errno = errno
        self.advice = advice ?? Self.commonAdvice(errno)
    }

    /// The error that the C library left in `errno`.
    static func last(_ call: String, advice: String? = nil) -> SystemError {
        SystemError(call: call, errno: Glibc.errno, advice: advice)
    }

    /// The call, the error's text, and the advice.
    public var description: String {
        let cause = "\(call): \(String(cString: strerror(errno)))"
        return advice.map { "\(cause): \($0)" } ?? cause
    }

    private static func commonAdvice(_ errno: Int32) -> String? {
        switch errno {
        case EPERM, EACCES: Capability.advice("CAP_NET_ADMIN", "CAP_NET_RAW")
        case EMFILE, ENFILE: "out of file descriptors: raise RLIMIT_NOFILE (LimitNOFILE=)"
        default: nil
        }
    }
}
