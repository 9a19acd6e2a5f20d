import Glibc
import Synchronization

/// Runs `body` on `count` threads of their own, each with its number, and then `whilst` here;
/// `isOver` turns true when that returns. Returns when all have ended.
///
/// Threads, not tasks: readers spin, and the pool of tasks has no thread to spare for that.
func withThreads(
    _ count: Int, _ body: @escaping @Sendable (_ number: Int, _ isOver: IsOver) -> Void,
    whilst: () -> Void
) {
    let isOver = IsOver()
    let threads = (0..<count).map { number in
        var thread = pthread_t()
        let box = Unmanaged.passRetained(ThreadBody { body(number, isOver) })
        let result = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<ThreadBody>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        precondition(result == 0, "no thread")
        return thread
    }
    whilst()
    isOver.set()
    for thread in threads { pthread_join(thread, nil) }
}

final class IsOver: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// The time of a monotonic clock, seconds.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
