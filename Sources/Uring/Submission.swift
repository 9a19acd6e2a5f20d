public import CLiburing
public import CLinux

// Preparing requests. Each call takes the next submission entry, fills it, and hands the kernel
// nothing yet: `submit` and `submitAndWait` do. `userData` comes back with every completion of the
// request. A call gives `false` only when the queue is full and the kernel takes nothing from it.
//
// What the pointers passed here point to must stay valid: until submitted for `receiveMultishot`
// (the kernel copies the lengths), until completed for all the others.

extension Ring {
    /// The next submission entry, zeroed; the queue is submitted if it is full.
    /// - Returns: `nil` only if the kernel takes nothing from a full queue.
    @inlinable @inline(__always)
    public func nextSubmission() -> UnsafeMutablePointer<io_uring_sqe>? {
        let tail = ring.pointee.sq.sqe_tail
        let head = weft_load_relaxed_u32(ring.pointee.sq.khead)
        if tail &- head >= ring.pointee.sq.ring_entries {
            guard submit() > 0 else { return nil }
        }
        ring.pointee.sq.sqe_tail = tail &+ 1
        let slot = ring.pointee.sq.sqes + Int(tail & ring.pointee.sq.ring_mask)
        slot.pointee = io_uring_sqe()
        return slot
    }

    /// Entries that can be prepared before the queue has to be submitted.
    @inlinable
    public var submissionSpace: Int {
        @inline(__always)
        get { Int(io_uring_sq_space_left(ring)) }
    }

    /// Entries that are prepared and that the kernel has not taken.
    @inlinable
    public var preparedCount: Int {
        @inline(__always)
        get { Int(ring.pointee.sq.sqe_tail &- weft_load_relaxed_u32(ring.pointee.sq.khead)) }
    }

    /// Receives datagrams into buffers of `group` until it ends (a completion without `more`).
    ///
    /// Each buffer is filled as `ReceivedMessage` describes. It ends with `-ENOBUFS` when the
    /// group has run out: recycle buffers, then prepare it again.
    /// - Parameter message: only `msg_namelen` and `msg_controllen` are read: how much room each
    ///   buffer keeps for the sender's address and for control messages.
    @inlinable @inline(__always)
    public func receiveMultishot(
        socket: Int32, message: UnsafeMutablePointer<msghdr>, group: UInt16, userData: UInt64
    ) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_RECVMSG.rawValue)
        entry.pointee.ioprio = UInt16(IORING_RECV_MULTISHOT)
        entry.pointee.fd = socket
        entry.pointee.addr = UInt64(UInt(bitPattern: message))
        entry.pointee.len = 1
        entry.selectBuffer(from: group)
        entry.pointee.user_data = userData
        return true
    }

    /// Receives one datagram into a buffer of `group`.
    ///
    /// The buffer holds payload only; address and control messages go where `message` says.
    /// - Parameter message: with at most one I/O vector, whose length caps the payload
    ///   and whose base is ignored.
    @inlinable @inline(__always)
    public func receive(
        socket: Int32, message: UnsafeMutablePointer<msghdr>, group: UInt16, userData: UInt64
    ) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_RECVMSG.rawValue)
        entry.pointee.fd = socket
        entry.pointee.addr = UInt64(UInt(bitPattern: message))
        entry.pointee.len = 1
        entry.selectBuffer(from: group)
        entry.pointee.user_data = userData
        return true
    }

    /// Reads into buffers of `group` whenever `file` has something, until it ends (Linux 6.7).
    ///
    /// For files that can be polled: TAP queues, pipes, eventfds. Ends with `-ENOBUFS` as
    /// `receiveMultishot` does; `KernelFeatures.readMultishot` tells whether it is there.
    @inlinable @inline(__always)
    public func readMultishot(file: Int32, group: UInt16, userData: UInt64) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = weft_ioring_op_read_multishot
        entry.pointee.fd = file
        entry.selectBuffer(from: group)
        entry.pointee.user_data = userData
        return true
    }

    /// Reads once, at most `length` bytes, into a buffer of `group`.
    @inlinable @inline(__always)
    public func read(file: Int32, group: UInt16, length: UInt32, userData: UInt64) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_READ.rawValue)
        entry.pointee.fd = file
        entry.pointee.len = length
        entry.selectBuffer(from: group)
        entry.pointee.user_data = userData
        return true
    }

    /// Sends one message; never waits for room: a full socket completes with `-EAGAIN` at once.
    /// - Parameter flags: MSG_* flags besides MSG_DONTWAIT and MSG_NOSIGNAL, which are always set.
    @inlinable @inline(__always)
    public func sendMessage(
        socket: Int32, message: UnsafePointer<msghdr>, flags: Int32 = 0, userData: UInt64
    ) -> Bool {
        guard let entry = nextSubmission() else { return false }
        let always = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_SENDMSG.rawValue)
        entry.pointee.fd = socket
        entry.pointee.addr = UInt64(UInt(bitPattern: message))
        entry.pointee.len = 1
        entry.pointee.msg_flags = UInt32(bitPattern: flags | always)
        entry.pointee.user_data = userData
        return true
    }

    /// Writes `count` vectors as one frame (TAP) or one run of bytes (pipe).
    @inlinable @inline(__always)
    public func writeVector(
        file: Int32, vectors: UnsafePointer<iovec>, count: UInt32, userData: UInt64
    ) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_WRITEV.rawValue)
        entry.pointee.fd = file
        entry.pointee.addr = UInt64(UInt(bitPattern: vectors))
        entry.pointee.len = count
        entry.pointee.user_data = userData
        return true
    }

    /// Completes each time `file` becomes ready for one of `events` (POLLIN...), until it ends.
    /// The completion's result is the mask of events.
    @inlinable @inline(__always)
    public func pollMultishot(file: Int32, events: UInt32, userData: UInt64) -> Bool {
        guard let entry = nextSubmission() else { return false }
        io_uring_prep_poll_multishot(entry, file, events)
        entry.pointee.user_data = userData
        return true
    }

    /// Ends the request that was prepared with user data `target`.
    ///
    /// The request completes with `-ECANCELED`; the cancellation itself, under `userData`, with 0,
    /// `-ENOENT` (there is no such request) or `-EALREADY` (it is ending).
    @inlinable
    public func cancel(target: UInt64, userData: UInt64) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_ASYNC_CANCEL.rawValue)
        entry.pointee.fd = -1
        entry.pointee.addr = target
        entry.pointee.user_data = userData
        return true
    }

    /// Ends every request on `file`, as before closing it. Completes, under `userData`, with how
    /// many it ended (Linux 5.19).
    @inlinable
    public func cancelAll(file: Int32, userData: UInt64) -> Bool {
        guard let entry = nextSubmission() else { return false }
        entry.pointee.opcode = UInt8(truncatingIfNeeded: IORING_OP_ASYNC_CANCEL.rawValue)
        entry.pointee.fd = file
        entry.pointee.cancel_flags =
            UInt32(IORING_ASYNC_CANCEL_FD) | UInt32(IORING_ASYNC_CANCEL_ALL)
        entry.pointee.user_data = userData
        return true
    }
}

extension UnsafeMutablePointer<io_uring_sqe> {
    /// Lets the kernel pick a buffer of `group` at the moment that there is data.
    @inlinable @inline(__always)
    func selectBuffer(from group: UInt16) {
        pointee.flags |= UInt8(1 << IOSQE_BUFFER_SELECT_BIT)
        pointee.buf_group = group
    }
}
