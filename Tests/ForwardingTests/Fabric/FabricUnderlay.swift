import TestFrames
import Testing

/// What the provider's network does to datagrams, from a seed.
struct UnderlayProfile: CustomTestStringConvertible {
    /// Once in so many datagrams; 0 never.
    var losesOneIn = 0
    var duplicatesOneIn = 0
    /// Steps that a datagram takes at most; 1 keeps the order.
    var delay = 1

    var testDescription: String {
        "loss 1/\(losesOneIn), duplicates 1/\(duplicatesOneIn), delay \(delay)"
    }
}

/// Datagrams on their way between hosts.
struct FabricUnderlay {
    struct Datagram {
        var from: Int
        var to: Int
        var bytes: [UInt8]
    }

    var profile: UnderlayProfile
    private var generator: SeededGenerator
    private var inFlight: [(due: Int, order: Int, datagram: Datagram)] = []
    private var step = 0
    private var sent = 0

    init(profile: UnderlayProfile, seed: UInt64) {
        self.profile = profile
        generator = SeededGenerator(seed: seed)
    }

    var isEmpty: Bool { inFlight.isEmpty }

    mutating func send(_ datagram: Datagram) {
        if profile.losesOneIn > 0, generator.oneIn(profile.losesOneIn) { return }
        let isTwice = profile.duplicatesOneIn > 0 && generator.oneIn(profile.duplicatesOneIn)
        for _ in 0..<(isTwice ? 2 : 1) {
            sent += 1
            inFlight.append((step + 1 + generator.below(profile.delay), sent, datagram))
        }
    }

    /// Time passes; what arrives now, in the order in which it arrives.
    mutating func advance() -> [Datagram] {
        step += 1
        let due = inFlight.filter { $0.due <= step }
            .sorted { ($0.due, $0.order) < ($1.due, $1.order) }
        inFlight.removeAll { $0.due <= step }
        return due.map(\.datagram)
    }
}
