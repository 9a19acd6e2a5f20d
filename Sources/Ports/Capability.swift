internal import CLinux

/// Capabilities (capabilities(7)), as far as somebody has to be told of them.
enum Capability {
    private static let numbers: [String: Int32] = [
        "CAP_NET_ADMIN": CAP_NET_ADMIN, "CAP_NET_RAW": CAP_NET_RAW, "CAP_BPF": CAP_BPF,
        "CAP_SYS_ADMIN": CAP_SYS_ADMIN,
    ]

    /// What to do where the kernel forbids what takes these: which of them this process lacks.
    static func advice(_ names: String...) -> String {
        let have = weft_permitted_capabilities()
        let missing = names.filter { have >> UInt64(numbers[$0] ?? 63) & 1 == 0 }
        guard !missing.isEmpty else {
            return "not for want of \(names.joined(separator: " or ")), which is there: a seccomp "
                + "filter or security module forbids it"
        }
        return "weftd has no \(missing.joined(separator: " and no ")): run as root, or put that "
            + "into the unit's CapabilityBoundingSet, and restart it"
    }
}
