/// Why a lab could not be built, used or removed.
public enum LabError: Error, Equatable {
    /// Namespaces and devices need root.
    case notRoot
    /// A program that the lab runs, or a file that it needs, is not on this machine.
    case missingProgram(String)
    /// A lab's name, a host's or a VM's, that cannot name a namespace, or is taken.
    case badName(String, reason: String)
    /// The lab of this name is standing, or belongs to a process that is alive.
    case inUse(lab: String, by: String)
    /// No lab of this name stands.
    case noSuchLab(String)
    /// No host or VM of this name is in the lab.
    case noSuchMember(String, lab: String)
    /// A command that had to succeed did not; `output` is what it said.
    case commandFailed(String, status: Int32, output: String)
    /// Something was waited for in vain; `detail` may hold the end of a log.
    case timedOut(waitingFor: String, detail: String)
    /// A process of the lab ended by itself; `log` is the end of what it said.
    case processEnded(String, log: String)
    /// SIGINT, SIGTERM or SIGHUP arrived.
    case interrupted
    /// A system call failed; `code` is its errno.
    case system(call: String, code: Int32)
}

extension LabError: CustomStringConvertible {
    /// A sentence for an operator, without a full stop.
    public var description: String {
        switch self {
        case .notRoot:
            "the lab makes network namespaces, which needs root"
        case .missingProgram(let name):
            "no '\(name)' on this machine; scripts/install.sh test fetches what labs need"
        case .badName(let name, let reason):
            "'\(name)' cannot be used as a name here: \(reason)"
        case .inUse(let lab, let user):
            "lab '\(lab)' is in use by \(user)"
        case .noSuchLab(let name):
            "no lab '\(name)' is up"
        case .noSuchMember(let name, let lab):
            "lab '\(lab)' has no host or VM '\(name)'"
        case .commandFailed(let command, let status, let output):
            "'\(command)' failed with status \(status): \(output)"
        case .timedOut(let what, let detail):
            "timed out waiting for \(what)\(detail.isEmpty ? "" : ":\n\(detail)")"
        case .processEnded(let name, let log):
            "\(name) ended by itself:\n\(log)"
        case .interrupted:
            "interrupted"
        case .system(let call, let code):
            "\(call) failed with errno \(code)"
        }
    }
}
