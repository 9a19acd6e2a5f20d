import Glibc
import TestFrames

/// The seed of a random test: WEFT_SEED if set, else another one each time. Tests print it with
/// what they find, so that a failure can be had again.
func testSeed() -> UInt64 {
    if let text = getenv("WEFT_SEED"), let seed = UInt64(String(cString: text)) { return seed }
    return .random(in: 0 ... .max)
}
