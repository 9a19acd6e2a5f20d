import Glibc

/// Why a ring could not be set up, in one line that says what the operator can do about it.
public struct UringError: Error, CustomStringConvertible, Equatable {
    /// The call that failed, as in its manual page.
    public let call: String
    /// The error number it gave.
    public let errno: Int32

    /// An error of `call`, with `errno` positive.
    public init(call: String, errno: Int32) {
        self.call = call
        self.errno = errno
    }

    /// The call, the error's text, and advice where there is any.
    public var description: String {
        let cause = "\(call): \(String(cString: strerror(errno)))"
        return advice.map { "\(cause): \($0)" } ?? cause
    }

    /// What to do about it, or `nil` where only the error itself can be reported.
    public var advice: String? {
        switch errno {
        case ENOSYS:
            "this kernel has no io_uring: use Linux 6.1 or later, built with CONFIG_IO_URING"
        case EPERM, EACCES:
            "io_uring is forbidden here: set sysctl kernel.io_uring_disabled=0, and allow "
                + "io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile "
                + "of the container or unit"
        case ENOMEM:
            "not enough lockable memory: raise RLIMIT_MEMLOCK (systemd: LimitMEMLOCK=infinity)"
        case EMFILE, ENFILE:
            "out of file descriptors: raise RLIMIT_NOFILE (systemd: LimitNOFILE=)"
        case EINVAL:
            "the kernel does not know what was asked for: use Linux 6.1 or later"
        default:
            nil
        }
    }
}
