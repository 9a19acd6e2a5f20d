import Glibc

/// A generator whose numbers follow from its seed (SplitMix64): print the seed, and a failure
/// can be had again.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts the sequence of this seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// A number in `0..<bound`; biased by less than a test can notice.
    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True once in `times`.
    public mutating func oneIn(_ times: Int) -> Bool { below(times) == 0 }

    /// Arbitrary bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 7)
        while bytes.count < count {
            withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

/// The seed of a random test: WEFT_SEED if set, else another one each time. Tests print it with
/// what they find, so that a failure can be had again.
public func testSeed() -> UInt64 {
    if let text = getenv("WEFT_SEED"), let seed = UInt64(String(cString: text)) { return seed }
    return .random(in: 0 ... .max)
}
