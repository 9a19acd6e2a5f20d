import Synchronization

/// Where events come together, and from where everybody gets them who listens. A listener that
/// does not keep up misses events, and is told how many; nobody waits for it.
public final class EventHub: Sendable {
    /// How many events wait for a slow listener.
    public static let backlog = 4096

    fileprivate struct Listener {
        var continuation: AsyncStream<Event?>.Continuation
        /// Events that it missed, and was not told of yet.
        var lost = 0
    }

    private struct State {
        var listeners: [Int: Listener] = [:]
        var next = 0
    }

    private let state = Mutex(State())
    private let count = Atomic<Int>(0)

    /// A hub that nobody listens to.
    public init() {}

    /// Whether somebody listens: an event for nobody need not be made.
    public var isHeard: Bool { count.load(ordering: .relaxed) > 0 }

    /// Tells everybody who listens. From any thread; does not wait.
    public func tell(_ event: @autoclosure () -> Event) {
        guard isHeard else { return }
        let event = event()
        state.withLock { state in
            for key in state.listeners.keys { state.listeners[key]?.tell(event) }
        }
    }

    /// All that happens from now on, until the listener's task ends; nil each time that a `beat`
    /// has passed, by which a listener can find out whether it is still needed.
    public func listen(beat: Duration = .seconds(15)) -> AsyncStream<Event?> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event?.self, bufferingPolicy: .bufferingOldest(Self.backlog))
        let key = state.withLock { state in
            defer { state.next += 1 }
            state.listeners[state.next] = Listener(continuation: continuation)
            return state.next
        }
        count.add(1, ordering: .relaxed)
        let pulse = Task {
            while (try? await Task.sleep(for: beat)) != nil { continuation.yield(nil) }
        }
        continuation.onTermination = { [weak self] _ in
            pulse.cancel()
            guard let self else { return }
            let removed = state.withLock { $0.listeners.removeValue(forKey: key) }
            if removed != nil { count.subtract(1, ordering: .relaxed) }
        }
        return stream
    }
}

extension EventHub.Listener {
    fileprivate mutating func tell(_ event: Event) {
        if lost > 0 {
            guard put(Event(.eventsLost, lost: lost)) else {
                lost += 1
                return
            }
            lost = 0
        }
        if !put(event) { lost += 1 }
    }

    private func put(_ event: Event) -> Bool {
        if case .dropped = continuation.yield(event) { false } else { true }
    }
}
