/// Where a rule is not kept yet. Entries go, numbers fall; nothing is added here without a reason
/// that its commit gives.
enum Ratchet {
    /// Lines of more than 100 columns.
    static let longLines: [String: Int] = [:]

    /// Lines of files that have more than 500.
    static let longFiles: [String: Int] = [:]

    /// Lines of the longest function of files that have one of more than 70.
    static let longFunctions: [String: Int] = [:]

    /// Types that are sendable by assertion: memory that one thread writes and others read
    /// by atomics that the compiler does not see through, and handles of the C library.
    static let uncheckedSendable = [
        "Sources/Capture/CaptureRing.swift": 1,
        "Sources/Capture/PacketFilter.swift": 1,
        "Sources/Datapath/Datapath.swift": 1,
        "Sources/Datapath/Keeper.swift": 1,
        "Sources/Datapath/WorkerThread.swift": 2,
        "Sources/Forwarding/Counters.swift": 1,
        "Sources/Forwarding/EndpointTable.swift": 1,
        "Sources/Forwarding/LearningQueue.swift": 1,
        "Sources/Forwarding/NeighborTable.swift": 1,
        "Sources/Forwarding/Reclamation.swift": 2,
        "Sources/Forwarding/Topology.swift": 1,
        "Sources/weftd/Weftd.swift": 1,
    ]
}
