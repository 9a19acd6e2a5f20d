// Spinner: how long a worker looks for work before it sleeps.
//
// Waking a sleeping thread costs a few tens of microseconds of latency; spinning costs a CPU that
// somebody else may need. So a worker spins only for a short while after its last work, and only
// for as long as spinning has lately found something: each find raises a score, each fruitless
// spin lowers it, and at zero the worker sleeps at once, except for a try now and then.

import CLinux
import Glibc

struct Spinner {
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

    init(_ mode: Mode) {
        self.mode = mode
        time = if case .always(let time) = mode { time } else { Spinner.adaptiveTime }
    }

    /// Whether to spin before sleeping this time.
    mutating func begin() -> Bool {
        switch mode {
        case .off: return false
        case .always: break
        case .adaptive:
            if score == 0 {
                skipped += 1
                guard skipped >= Spinner.tryEvery else { return false }
                skipped = 0
            }
        }
        deadline = Spinner.now() &+ time
        return true
    }

    /// Passes a moment; false when the time is up.
    @inline(__always)
    mutating func goesOn() -> Bool {
        weft_cpu_relax()
        if Spinner.now() < deadline { return true }
        score = max(0, score - 1)
        return false
    }

    /// The spin was worth it.
    mutating func foundWork() { score = min(Spinner.highScore, score + 2) }

    @inline(__always)
    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
