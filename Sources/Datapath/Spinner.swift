// Spinner: how long a worker looks for work before it sleeps.
//
// Waking a sleeping thread costs a few tens of microseconds of latency where its CPU has gone
// idle; spinning costs a CPU. So a worker spins only for a short while after its last work, only
// for as long as spinning has lately found something (each find raises a score, each fruitless
// spin lowers it, and at zero the worker sleeps at once, except for a try now and then), and only
// while the host has CPUs to spare: a spinning thread that keeps a VM from running costs more
// than it gains. See docs/decisions/0005-spinning.md for the figures.

import CLinux
import Glibc

struct Spinner: ~Copyable {
    enum Mode: Equatable {
        case off
        case adaptive
        /// Always, for this many nanoseconds.
        case always(UInt64)
    }

    /// Nanoseconds of one adaptive spin.
    static let adaptiveTime: UInt64 = 50_000
    private static let highScore = 16
    /// One of so many sleeps is preceded by a try when the score is zero.
    private static let tryEvery = 32

    private let mode: Mode
    private let time: UInt64
    private var score = Spinner.highScore / 2
    private var skipped = 0
    private var deadline: UInt64 = 0
    private var load: LoadGauge

    init(_ mode: Mode) {
        self.mode = mode
        time = if case .always(let time) = mode { time } else { Spinner.adaptiveTime }
        load = LoadGauge()
    }

    /// Whether to spin before sleeping this time; `now` in nanoseconds.
    mutating func begin(_ now: UInt64) -> Bool {
        switch mode {
        case .off: return false
        case .always: break
        case .adaptive:
            guard hasPromise(), load.hasIdleCPUs(now) else { return false }
        }
        deadline = now &+ time
        return true
    }

    private mutating func hasPromise() -> Bool {
        if score > 0 { return true }
        skipped += 1
        guard skipped >= Spinner.tryEvery else { return false }
        skipped = 0
        return true
    }

    /// Passes a moment; false when the time is up.
    @inline(__always)
    mutating func goesOn() -> Bool {
        weft_cpu_relax()
        if weft_nanoseconds() < deadline { return true }
        score = max(0, score - 1)
        return false
    }

    /// The spin was worth it.
    mutating func foundWork() { score = min(Spinner.highScore, score + 2) }
}

/// Whether the host has more CPUs than threads that want to run, as /proc/loadavg tells at this
/// moment (its fourth field; proc_loadavg(5)). Looked at once a millisecond at most.
struct LoadGauge: ~Copyable {
    private static let interval: UInt64 = 1_000_000
    private let file: Int32
    private let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    private var lookedAt: UInt64 = 0
    private var isIdle = true

    init() { file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC) }

    deinit { if file >= 0 { close(file) } }

    mutating func hasIdleCPUs(_ now: UInt64) -> Bool {
        guard now &- lookedAt >= LoadGauge.interval else { return isIdle }
        lookedAt = now
        if let running = running() { isIdle = running <= processors }
        return isIdle
    }

    /// Threads that run or want to, this one included. Nil if the kernel does not tell.
    private func running() -> Int? {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { text in
            let length = pread(file, text.baseAddress!, text.count, 0)
            guard length > 0 else { return nil }
            // 0.20 0.18 0.12 3/80 11206
            var index = 0
            for _ in 0..<3 {
                while index < length, text[index] != 0x20 { index += 1 }
                index += 1
            }
            var number = 0
            while index < length, text[index] >= 0x30, text[index] <= 0x39 {
                number = number * 10 + Int(text[index] - 0x30)
                index += 1
            }
            return number
        }
    }
}
