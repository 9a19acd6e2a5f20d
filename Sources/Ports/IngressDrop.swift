internal import CLibbpf
internal import CLinux
import Glibc
import Synchronization

/// Keeps the frames that arrive on an interface from the host's own stack, as long as it lives.
///
/// A packet socket gets a copy: the frame itself goes on to bridges and to the host's addresses.
/// A tc filter on the interface's ingress, which comes after packet sockets and before those, ends
/// it: an eBPF program of two instructions.
///
/// The filter stays when the process is killed or told to leave it, so that the stack never sees a
/// port's frames while a daemon restarts; attaching again replaces it. The clsact qdisc stays
/// always: others may have filters there.
struct IngressDrop: ~Copyable, Sendable {
    /// Last of all filters, so that others on the interface still decide first.
    static let priority: UInt32 = 60000
    static let handle: UInt32 = 1

    private let link: Link
    private let stays = Atomic<Bool>(false)

    /// Attaches the filter, in place of one that an earlier process left.
    init(on link: Link) throws(SystemError) {
        let program = try Self.load()
        try NetworkNamespace.run(in: link.namespace) { () throws(SystemError) in
            var hook = Self.hook(link)
            let created = bpf_tc_hook_create(&hook)
            guard created == 0 || created == -EEXIST else {
                throw SystemError(
                    call: "add clsact to \(link.name)", errno: -created,
                    advice: "the kernel needs CONFIG_NET_CLS_ACT and CONFIG_NET_SCH_INGRESS")
            }
            var options = Self.options()
            options.prog_fd = program.number
            options.flags = BPF_TC_F_REPLACE.rawValue
            let attached = bpf_tc_attach(&hook, &options)
            guard attached == 0 else {
                throw SystemError(
                    call: "attach filter to \(link.name)", errno: -attached,
                    advice: "the kernel needs CONFIG_NET_CLS_BPF")
            }
        }
        self.link = link
    }

    /// Has the filter stay for another process.
    func leave() { stays.store(true, ordering: .relaxed) }

    deinit {
        guard !stays.load(ordering: .relaxed) else { return }
        let link = link
        // The interface may be gone, and the filter with it.
        try? NetworkNamespace.run(in: link.namespace) { () throws(SystemError) in
            var hook = Self.hook(link)
            var options = Self.options()
            _ = bpf_tc_detach(&hook, &options)
        }
    }

    private static func hook(_ link: Link) -> bpf_tc_hook {
        // libbpf reports on stderr what is no error here: a clsact that is already there.
        _ = libbpf_set_print(nil)
        var hook = bpf_tc_hook()
        hook.sz = length(through: \bpf_tc_hook.parent)
        hook.ifindex = link.index
        hook.attach_point = BPF_TC_INGRESS
        return hook
    }

    private static func options() -> bpf_tc_opts {
        var options = bpf_tc_opts()
        options.sz = length(through: \bpf_tc_opts.priority)
        options.handle = handle
        options.priority = priority
        return options
    }

    /// The bytes up to the end of a structure's last field. libbpf refuses a structure whose bytes
    /// after that are not zero, and Swift leaves padding as it finds it.
    private static func length<Root>(through lastField: KeyPath<Root, UInt32>) -> Int {
        guard let offset = MemoryLayout<Root>.offset(of: lastField) else {
            preconditionFailure("a field of a C structure has no offset")
        }
        return offset + MemoryLayout<UInt32>.size
    }

    /// `r0 = TC_ACT_SHOT; exit`, as struct bpf_insn: opcode, registers, offset, immediate.
    private static func load() throws(SystemError) -> OwnedDescriptor {
        let shot: UInt64 = 2  // TC_ACT_SHOT
        let instructions: [UInt64] = [(0xb7 | shot << 32).littleEndian, 0x95]
        let number = instructions.withUnsafeBytes { bytes in
            bpf_prog_load(
                BPF_PROG_TYPE_SCHED_CLS, "weft_drop", "GPL",
                bytes.baseAddress?.assumingMemoryBound(to: bpf_insn.self), instructions.count, nil)
        }
        guard number >= 0 else {
            throw SystemError(
                call: "load eBPF filter", errno: -number,
                advice: Capability.advice("CAP_BPF", "CAP_NET_ADMIN")
                    + "; the kernel needs CONFIG_BPF_SYSCALL")
        }
        return OwnedDescriptor(owning: number)
    }
}
