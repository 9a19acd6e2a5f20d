import Glibc

/// Says what the demo does, with the time since it began; in color on a terminal only.
struct Narrator {
    private let start = ContinuousClock.now
    private let colored = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    /// What a passage means to the reader.
    enum Tone: String {
        case good = "32"
        case bad = "1;31"
        case quiet = "2"
        case strong = "1"
    }

    /// Seconds since the demo began.
    var elapsed: Double {
        let duration = (ContinuousClock.now - start).components
        return Double(duration.seconds) + Double(duration.attoseconds) / 1e18
    }

    /// A line of what is being done, after the time.
    func say(_ text: String) {
        print("\(paint("[\(column(decimal(elapsed, places: 1), width: 5)) s]", .quiet)) \(text)")
        fflush(nil)
    }

    /// A line that belongs to the one before it.
    func detail(_ text: String) {
        print("          \(text)")
        fflush(nil)
    }

    /// The result of a check.
    func result(_ held: Bool, _ text: String) {
        detail("\(held ? paint("ok", .good) : paint("FAILED", .bad)): \(text)")
    }

    /// The text in the color of its tone.
    func paint(_ text: String, _ tone: Tone) -> String {
        colored ? "\u{1b}[\(tone.rawValue)m\(text)\u{1b}[0m" : text
    }
}

/// A number with a fixed count of decimal places.
func decimal(_ value: Double, places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = Int64((value * scale).rounded())
    guard places > 0 else { return "\(scaled)" }
    let digits = String(scaled.magnitude)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return (scaled < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
}

/// Text set right in a column.
func column(_ text: String, width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}
