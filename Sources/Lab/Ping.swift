/// What ping(8) of iputils found out.
public struct PingResult: Sendable, Equatable {
    /// Echo requests sent.
    public var transmitted = 0
    /// Requests that were answered.
    public var received = 0
    /// Answers beyond the first to a request.
    public var duplicates = 0
    /// Round trips in milliseconds; nil if nothing came back.
    public var roundTrip: RoundTrip?

    /// Round-trip times in milliseconds.
    public struct RoundTrip: Sendable, Equatable {
        /// The shortest.
        public var min: Double
        /// The mean.
        public var average: Double
        /// The longest.
        public var max: Double
    }

    /// Whether each request was answered, once.
    public var isComplete: Bool { transmitted > 0 && received == transmitted && duplicates == 0 }

    /// Reads what `ping -q` prints; nil if it is not that.
    public init?(output: String) {
        guard
            let counts = output.split(separator: "\n").first(where: {
                $0.contains("packets transmitted")
            })
        else { return nil }
        for part in counts.split(separator: ",") {
            let words = part.split(separator: " ")
            guard words.count > 1, let number = Int(words[0]) else { continue }
            switch words[1] {
            case "packets": transmitted = number
            case "received": received = number
            // "+2 duplicates"
            case "duplicates": duplicates = number
            default: break
            }
        }
        roundTrip = Self.roundTrip(in: output)
    }

    /// Reads "rtt min/avg/max/mdev = 0.025/0.035/0.050/0.005 ms".
    private static func roundTrip(in output: String) -> RoundTrip? {
        guard let line = output.split(separator: "\n").first(where: { $0.hasPrefix("rtt ") }),
            let equals = line.firstIndex(of: "=")
        else { return nil }
        let values = line[line.index(after: equals)...].split(separator: " ")[0]
            .split(separator: "/").compactMap { Double($0) }
        guard values.count == 4 else { return nil }
        return RoundTrip(min: values[0], average: values[1], max: values[2])
    }
}

extension Command {
    /// A ping that prints what `PingResult` reads.
    ///
    /// - Parameters:
    ///   - address: Whom to ping.
    ///   - count: How many answers end it; it sends more requests if some are not answered.
    ///   - interval: Seconds between them.
    ///   - patience: Seconds after which it ends, answered or not.
    ///   - source: The source address, if not the one that the route gives.
    public static func ping(
        _ address: some CustomStringConvertible, count: Int = 1, interval: Double = 0.2,
        patience: Int = 2, source: (any CustomStringConvertible)? = nil
    ) -> Command {
        var arguments = [
            "ping", "-n", "-q", "-c", "\(count)", "-i", "\(interval)", "-w", "\(patience)",
        ]
        if let source { arguments += ["-I", "\(source)"] }
        return Command(arguments + ["\(address)"], timeout: .seconds(patience + 5))
    }
}
