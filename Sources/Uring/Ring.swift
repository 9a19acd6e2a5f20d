public import CLiburing
public import CLinux
import Glibc

/// An io_uring: a submission queue and a completion queue, shared with the kernel.
///
/// Theory of operation. A ring belongs to the one thread that created it (SINGLE_ISSUER): every
/// call, `deinit` too, is made there. The kernel defers what completes to that thread
/// (DEFER_TASKRUN), so completions appear only while the thread is inside `submitAndWait` or
/// `flushTaskWork`; `hasPendingWork` tells without a system call that there is something to fetch.
///
/// A turn of a loop is then: prepare submissions, `submitAndWait`, `peek`, handle, `advance`.
/// Nothing here allocates, retains or throws after `init`.
@frozen
public struct Ring: ~Copyable {
    /// liburing's view of the two queues. On the heap: liburing keeps no pointer to it, but the
    /// inlined accessors want one address for as long as the ring lives.
    @usableFromInline let ring: UnsafeMutablePointer<io_uring>

    /// What the kernel granted: IORING_SETUP_* flags.
    public let setupFlags: UInt32

    /// Whether completions run only when this thread asks for them (Linux 6.1).
    public var defersTaskWork: Bool { setupFlags & IORING_SETUP_DEFER_TASKRUN != 0 }

    /// Sets up a ring that the calling thread alone will use.
    ///
    /// Flags that the kernel does not know are given up, best first, so that an older kernel
    /// gives a slower ring and not none.
    /// - Parameters:
    ///   - entries: submission queue length; rounded up to a power of two, clamped to 32768.
    ///   - completionEntries: completion queue length; at least `entries`; clamped to 65536.
    ///     Multishot requests make many completions out of one submission: 4 to 8 times `entries`.
    /// - Throws: `UringError` with the advice for the operator.
    public init(entries: UInt32, completionEntries: UInt32) throws(UringError) {
        let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
        var refusal = EINVAL
        for flags in Self.flagsBestFirst {
            ring.initialize(to: io_uring())
            var parameters = io_uring_params()
            parameters.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP
            parameters.cq_entries = max(entries, completionEntries)
            refusal = -io_uring_queue_init_params(entries, ring, &parameters)
            if refusal != EINVAL { break }
        }
        if refusal == 0 && ring.pointee.features & IORING_FEAT_EXT_ARG == 0 {
            io_uring_queue_exit(ring)
            refusal = EINVAL
        }
        guard refusal == 0 else {
            ring.deallocate()
            throw UringError(call: "io_uring_setup", errno: refusal)
        }
        // Spares the kernel a descriptor look-up per call; without it the ring works as well.
        _ = io_uring_register_ring_fd(ring)
        // Nothing here should ever need a kernel thread; if something does, one of each kind.
        let workers = UnsafeMutablePointer<UInt32>.allocate(capacity: 2)
        workers.initialize(repeating: 1, count: 2)
        _ = io_uring_register_iowq_max_workers(ring, workers)
        workers.deallocate()
        // `flush` publishes entries in the order of their slots, so the indirection through
        // `array` is the identity (absent where liburing asks for IORING_SETUP_NO_SQARRAY).
        if let array = ring.pointee.sq.array {
            for slot in 0..<Int(ring.pointee.sq.ring_entries) { array[slot] = UInt32(slot) }
        }
        self.ring = ring
        setupFlags = ring.pointee.flags
    }

    deinit {
        io_uring_queue_exit(ring)
        ring.deallocate()
    }

    /// Sets of IORING_SETUP_* flags, from Linux 6.1's down to those that every kernel knows.
    private static let flagsBestFirst: [UInt32] = [
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER
            | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER
            | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_SUBMIT_ALL,
        0,
    ]

    /// Length of the submission queue, as granted.
    public var submissionCapacity: Int { Int(ring.pointee.sq.ring_entries) }

    /// Length of the completion queue, as granted.
    public var completionCapacity: Int { Int(ring.pointee.cq.ring_entries) }

    /// The ring's descriptor, to poll it from elsewhere.
    public var fileDescriptor: Int32 { ring.pointee.ring_fd }
}

// MARK: - Entering the kernel

extension Ring {
    /// Submits what was prepared, without waiting. Makes no system call if nothing was.
    /// - Returns: how many were submitted, or a negative error number:
    ///   - `-EAGAIN`: no memory for a request now; nothing is lost, submit again later.
    ///   - `-EBUSY`: completions have overflowed; take some first, then submit again.
    ///   - `-EINTR`: a signal; submit again.
    public func submit() -> Int32 {
        let prepared = flush()
        guard prepared > 0 else { return 0 }
        return enter(submitting: prepared, waitingFor: 0, flags: 0)
    }

    /// Submits what was prepared and sleeps until `minimum` completions are there.
    /// - Parameters:
    ///   - minimum: completions to wait for; 0 fetches what is ready and does not sleep.
    ///   - timeoutNanoseconds: how long to sleep at most; `nil` is for ever.
    /// - Returns: how many were submitted, or a negative error number, those of `submit` and:
    ///   - `-ETIME`: the time is up (given only if nothing was submitted).
    ///   - `-EINTR`: a signal came (given only if nothing was submitted).
    ///
    ///   Whatever is returned, there may be completions: look.
    public func submitAndWait(minimum: UInt32, timeoutNanoseconds: UInt64?) -> Int32 {
        let prepared = flush()
        let wait = UInt32(IORING_ENTER_GETEVENTS)
        guard let timeoutNanoseconds, minimum > 0 else {
            return enter(submitting: prepared, waitingFor: minimum, flags: wait)
        }
        var timeout = __kernel_timespec()
        timeout.tv_sec = Int64(timeoutNanoseconds / 1_000_000_000)
        timeout.tv_nsec = Int64(timeoutNanoseconds % 1_000_000_000)
        // SAFETY: the kernel reads `timeout` and `argument` only during the call below.
        return withUnsafePointer(to: &timeout) { timeout in
            var argument = io_uring_getevents_arg()
            argument.ts = UInt64(UInt(bitPattern: timeout))
            return withUnsafeMutablePointer(to: &argument) { argument in
                enter(
                    submitting: prepared, waitingFor: minimum,
                    flags: wait | UInt32(IORING_ENTER_EXT_ARG), argument: argument)
            }
        }
    }

    /// Runs what completed meanwhile, so that `peek` sees it. Neither submits nor sleeps.
    /// - Returns: 0, or a negative error number.
    @discardableResult
    public func flushTaskWork() -> Int32 {
        enter(submitting: 0, waitingFor: 0, flags: UInt32(IORING_ENTER_GETEVENTS))
    }

    /// Whether the kernel holds back completions that `flushTaskWork` would deliver.
    ///
    /// Reads shared memory, makes no system call: this is what a spinning thread looks at.
    /// Always `false` where the kernel grants no IORING_SETUP_TASKRUN_FLAG (before 5.19): there
    /// completions appear by themselves.
    @inlinable
    public var hasPendingWork: Bool {
        @inline(__always)
        get {
            let flags = weft_load_relaxed_u32(ring.pointee.sq.kflags)
            return flags & (UInt32(IORING_SQ_TASKRUN) | UInt32(IORING_SQ_CQ_OVERFLOW)) != 0
        }
    }

    /// Makes prepared entries visible to the kernel and tells how many it has not taken yet.
    private func flush() -> UInt32 {
        let tail = ring.pointee.sq.sqe_tail
        if ring.pointee.sq.sqe_head != tail {
            ring.pointee.sq.sqe_head = tail
            weft_store_release_u32(ring.pointee.sq.ktail, tail)
        }
        // Only this thread submits, so the head moves only inside our own calls.
        return tail &- weft_load_relaxed_u32(ring.pointee.sq.khead)
    }

    private func enter(
        submitting count: UInt32, waitingFor minimum: UInt32, flags: UInt32,
        argument: UnsafeMutablePointer<io_uring_getevents_arg>? = nil
    ) -> Int32 {
        let descriptor = ring.pointee.enter_ring_fd
        let registered = descriptor != ring.pointee.ring_fd
        let flags = registered ? flags | UInt32(IORING_ENTER_REGISTERED_RING) : flags
        // SAFETY: with IORING_ENTER_EXT_ARG the last two arguments are the extended argument and
        // its size, which liburing declares as a signal set; otherwise they are "no signal set".
        return io_uring_enter2(
            UInt32(bitPattern: descriptor), count, minimum, flags,
            UnsafeMutableRawPointer(argument)?.assumingMemoryBound(to: sigset_t.self),
            argument == nil ? 0 : MemoryLayout<io_uring_getevents_arg>.size)
    }
}
