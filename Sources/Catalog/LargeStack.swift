import Dispatch
import Foundation
import Synchronization

/// Runs `body` on a thread of its own with a stack of 16 MiB, and waits for it.
///
/// The YAML parser builds, hashes and frees its tree by recursion. It refuses to nest deeper
/// than 1000 levels, but those do not fit the 512 KiB that some threads have.
func onLargeStack<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
    let outcome = Outcome<Result>()
    let thread = Thread {
        outcome.finish(body())
    }
    thread.stackSize = 16 << 20
    thread.start()
    return outcome.wait()
}

/// A result that one thread leaves for another.
private final class Outcome<Result: Sendable>: Sendable {
    private let result = Mutex<Result?>(nil)
    private let finished = DispatchSemaphore(value: 0)

    func finish(_ value: Result) {
        result.withLock { $0 = value }
        finished.signal()
    }

    func wait() -> Result {
        while true {
            finished.wait()
            if let value = result.withLock({ $0 }) { return value }
        }
    }
}
