import CLiburing
import Glibc
import Testing
import Uring

@Suite("Ring", .enabled(if: KernelFeatures.probe().uring))
struct RingTests {
    /// Long enough for a loaded machine, short enough to fail a test and not to hang it.
    static let patience: UInt64 = 2_000_000_000

    /// Waits for `count` completions and takes them.
    static func take(_ count: Int, from ring: borrowing Ring) -> [Completion] {
        var taken: [Completion] = []
        while taken.count < count {
            let result = ring.submitAndWait(minimum: 1, timeoutNanoseconds: patience)
            if result == -ETIME { break }
            while ring.readyCount > 0 && taken.count < count {
                taken.append(ring.completion(at: 0))
                ring.advance(1)
            }
        }
        return taken
    }

    @Test("A timeout ends the wait after that time and once")
    func timeout() throws {
        let ring = try Ring(entries: 8, completionEntries: 64)
        let pipe = try Pipe()
        let clock = ContinuousClock()
        var result: Int32 = 0
        let idle = clock.measure {
            result = ring.submitAndWait(minimum: 1, timeoutNanoseconds: 200_000_000)
        }
        #expect(result == -ETIME)
        #expect(idle >= .milliseconds(199) && idle < .milliseconds(1000))

        // With something to submit the count is returned, and the wait is no longer.
        #expect(ring.pollMultishot(file: pipe.reader, events: UInt32(POLLIN), userData: 1) == true)
        let busy = clock.measure {
            result = ring.submitAndWait(minimum: 1, timeoutNanoseconds: 200_000_000)
        }
        #expect(result == 1)
        #expect(busy >= .milliseconds(199) && busy < .milliseconds(399))
    }

    @Test("A full queue submits itself")
    func fullQueue() throws {
        let ring = try Ring(entries: 4, completionEntries: 64)
        let pipe = try Pipe()
        let byte = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
        byte.storeBytes(of: 7, as: UInt8.self)
        var vector = iovec(iov_base: byte, iov_len: 1)
        defer { byte.deallocate() }
        try withUnsafePointer(to: &vector) { vector in
            for i in 0..<UInt64(11) {
                let queued = ring.writeVector(
                    file: pipe.writer, vectors: vector, count: 1, userData: i)
                try #require(queued)
            }
            let completions = Self.take(11, from: ring)
            #expect(completions.map(\.userData) == Array(0..<11))
            #expect(completions.allSatisfy { $0.result == 1 })
        }
        #expect(ring.overflowCount == 0)
        #expect(ring.submissionSpace == 4)
    }

    @Test("Poll tells of each wake until cancelled")
    func pollAndCancel() throws {
        let ring = try Ring(entries: 8, completionEntries: 64)
        let pipe = try Pipe()
        #expect(ring.pollMultishot(file: pipe.reader, events: UInt32(POLLIN), userData: 5) == true)
        pipe.write([1])
        let first = try #require(Self.take(1, from: ring).first)
        #expect(first.userData == 5 && first.more)
        #expect(first.result & POLLIN != 0)

        #expect(ring.cancel(target: 5, userData: 6) == true)
        let last = Self.take(2, from: ring).sorted { $0.userData < $1.userData }
        try #require(last.count == 2)
        #expect(last[0].result == -ECANCELED && !last[0].more)
        #expect(last[1].result == 0)

        #expect(ring.cancel(target: 5, userData: 7) == true)
        #expect(Self.take(1, from: ring).first?.result == -ENOENT)
    }

    @Test("Pending work shows without a system call, and a flush delivers it")
    func pendingWork() throws {
        let ring = try Ring(entries: 8, completionEntries: 64)
        try #require(ring.defersTaskWork == true)
        let pipe = try Pipe()
        #expect(ring.pollMultishot(file: pipe.reader, events: UInt32(POLLIN), userData: 5) == true)
        #expect(ring.submit() == 1)
        #expect(ring.hasPendingWork == false)
        pipe.write([1])
        #expect(ring.hasPendingWork == true)
        #expect(ring.readyCount == 0)
        ring.flushTaskWork()
        #expect(ring.readyCount == 1)
        #expect(ring.hasPendingWork == false)
        #expect(ring.submit() == 0)
    }

    @Test("Completions wrap around the queue in order")
    func wrap() throws {
        let ring = try Ring(entries: 4, completionEntries: 8)
        let pipe = try Pipe()
        let capacity = ring.completionCapacity
        let entries = UnsafeMutablePointer<UnsafeMutablePointer<io_uring_cqe>?>
            .allocate(capacity: capacity)
        defer { entries.deallocate() }
        var seen: [UInt64] = []
        for round in 0..<UInt64(9) {
            for i in 0..<UInt64(3) {
                #expect(ring.cancel(target: 99, userData: round * 3 + i) == true)
            }
            #expect(ring.submitAndWait(minimum: 3, timeoutNanoseconds: nil) == 3)
            let count = ring.peek(into: entries, capacity: capacity)
            for i in 0..<count {
                let entry = try #require(entries[i])
                seen.append(Completion(entry).userData)
            }
            ring.advance(count)
        }
        #expect(seen == Array(0..<27))
        _ = pipe.reader
    }

    @Test("Errors carry advice")
    func advice() {
        #expect(
            UringError(call: "io_uring_setup", errno: EPERM).description
                .contains("kernel.io_uring_disabled"))
        #expect(UringError(call: "x", errno: ENOMEM).description.contains("RLIMIT_MEMLOCK"))
        #expect(UringError(call: "x", errno: EEXIST).advice == nil)
    }
}

/// A nonblocking pipe.
struct Pipe: ~Copyable {
    let reader: Int32
    let writer: Int32

    init() throws {
        let ends = UnsafeMutablePointer<Int32>.allocate(capacity: 2)
        defer { ends.deallocate() }
        try #require(pipe(ends) == 0)
        for end in 0..<2 { try #require(fcntl(ends[end], F_SETFL, O_NONBLOCK) == 0) }
        reader = ends[0]
        writer = ends[1]
    }

    deinit {
        close(reader)
        close(writer)
    }

    func write(_ bytes: [UInt8]) {
        #expect(Glibc.write(writer, bytes, bytes.count) == bytes.count)
    }
}
