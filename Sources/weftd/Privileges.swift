import CLinux
import Glibc

/// What the daemon may do after its start: no more than ports need that may come later.
///
/// Capabilities are each thread's own and pass to those that it starts, so all of this is for the
/// time before there is a second thread. The workers, who alone touch what guests and the underlay
/// send, give up the rest when they have their rings.
enum Privileges {
    /// Those that are kept, as far as they are there. A port that is added while the daemon runs
    /// may be the first that needs one of them.
    static let kept: [(name: String, number: Int32)] = [
        // TAPs, addresses, MTUs, filters, buffers beyond the limit.
        ("CAP_NET_ADMIN", CAP_NET_ADMIN),
        // Packet sockets of `interface` ports, and the filter in front of the host's stack.
        ("CAP_NET_RAW", CAP_NET_RAW), ("CAP_BPF", CAP_BPF),
        // Entering the namespaces of ports.
        ("CAP_SYS_ADMIN", CAP_SYS_ADMIN),
    ]

    /// Does what needs other privileges, and gives those up.
    /// - Parameter group: who is to have the control socket: its members need not be root, and to
    ///   give it to a group of one's own takes no capability. Nil: nobody.
    /// - Returns: the names of the capabilities that are there.
    static func reduce(group: gid_t?) -> [String] {
        raiseLimits()
        if let group { join(group) }
        weft_gain_no_privileges()
        let wanted = kept.reduce(UInt64(0)) { $0 | 1 << UInt64($1.number) }
        // The group could not be joined: then it takes a capability to give the socket to it.
        let chown = group.map(isMember) == false ? UInt64(1) << UInt64(CAP_CHOWN) : 0
        _ = weft_keep_capabilities(wanted | chown)
        let have = weft_permitted_capabilities()
        return kept.filter { have >> UInt64($0.number) & 1 != 0 }.map(\.name)
    }

    /// Every port takes a descriptor per worker, and so do transmit sockets; rings count as locked
    /// memory where that is limited.
    private static func raiseLimits() {
        var files = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0 {
            files.rlim_cur = files.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        }
        weft_unlimit_locked_memory()
    }

    private static func groups() -> [gid_t] {
        var groups = [gid_t](repeating: 0, count: Int(NGROUPS_MAX))
        let count = getgroups(Int32(groups.count), &groups)
        return count > 0 ? Array(groups[..<Int(count)]) : []
    }

    private static func isMember(_ group: gid_t) -> Bool {
        getegid() == group || groups().contains(group)
    }

    private static func join(_ group: gid_t) {
        guard !isMember(group) else { return }
        let groups = groups() + [group]
        setgroups(groups.count, groups)
    }
}
