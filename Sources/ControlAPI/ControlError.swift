/// Why a daemon did not answer as asked.
public enum ControlError: Error, Sendable, Equatable {
    /// Nobody listens: there is no socket, or it was left behind.
    case notRunning(socket: String, reason: String)
    /// The socket is not for this user.
    case permissionDenied(socket: String)
    /// The path is no path of a socket: relative or too long names included.
    case invalidSocket(socket: String, reason: String)
    /// A system call failed.
    case system(call: String, reason: String)
    /// No complete reply within the time allowed.
    case timeout(seconds: Int)
    /// What came back is no HTTP reply, or not what the API promises.
    case malformedReply(String)
    /// The daemon refused.
    case refused(status: Int, message: String)
}

extension ControlError: CustomStringConvertible {
    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .notRunning(let socket, let reason):
            "weftd is not running (\(reason) \(socket))"
        case .permissionDenied(let socket):
            "no permission to use \(socket): be root or a member of the socket's group"
        case .invalidSocket(let socket, let reason):
            "\(socket) is no control socket: \(reason)"
        case .system(let call, let reason):
            "\(call): \(reason)"
        case .timeout(let seconds):
            "weftd did not answer within \(seconds) s; what was asked may be done all the same"
        case .malformedReply(let what):
            "weftd's reply makes no sense: \(what)"
        case .refused(let status, let message):
            "weftd refused (\(status)): \(message)"
        }
    }
}
