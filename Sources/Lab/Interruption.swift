import Glibc
import Synchronization

/// Turns SIGINT, SIGTERM and SIGHUP into an error that unwinds to whoever built a lab, so that
/// its tear-down runs on the ordinary way out.
///
/// Commands of the lab look at it while they wait. A second signal kills the program at once;
/// the lab's state file then lets `weft lab down` or the next lab of that name clean up.
public enum Interruption {
    private static let requested = Atomic<Bool>(false)

    /// From here on the signals are caught. SIGPIPE is ignored, since a reader that goes away
    /// (`weft demo | head`) must not leave a lab standing.
    public static func catchSignals() {
        // Touched here so that the handler finds it initialised: it may do little else.
        _ = isRequested
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            Interruption.requested.store(true, ordering: .relaxed)
        }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaction(signal, &action, nil) }
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether one of the signals arrived since `catchSignals`.
    public static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Throws `LabError.interrupted` if one of the signals arrived.
    public static func check() throws {
        if isRequested { throw LabError.interrupted }
    }
}

/// Sleeps; throws `LabError.interrupted` instead of sleeping on if a signal arrives.
public func pause(_ duration: Duration) throws {
    let end = ContinuousClock.now + duration
    while true {
        try Interruption.check()
        let left = end - ContinuousClock.now
        guard left > .zero else { return }
        // Slices, for the signal may reach another thread, whose sleep it ends and not this one.
        let slice = min(left, .milliseconds(20)).components
        usleep(useconds_t(slice.attoseconds / 1_000_000_000_000) + 1)
    }
}
