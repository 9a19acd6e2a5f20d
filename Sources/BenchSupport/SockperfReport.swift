/// What sockperf(1) measured, from what `sockperf ping-pong --full-rtt` prints.
///
/// sockperf keeps the time of every message and sorts them, so its percentiles are exact. It leaves
/// out its warm-up and the last 50 ms. Times are in microseconds.
package struct SockperfReport: Equatable, Sendable {
    package var p50: Double
    package var p99: Double
    package var p999: Double
    package var max: Double
    /// Messages that came back in the time that counts.
    package var roundTrips: Int
    /// Messages that did not.
    package var lost: Int

    /// Reads a report.
    /// - Returns: nil if the text is none, for example an error message.
    package init?(_ text: String) {
        var times: [Substring: Double] = [:]
        var counts: [Substring: Int] = [:]
        for line in text.split(separator: "\n") {
            if let time = Self.time(in: line) { times[time.name] = time.value }
            if line.contains("[Valid Duration]") { counts = Self.counts(in: line) }
        }
        guard let p50 = times["percentile 50.000"], let p99 = times["percentile 99.000"],
            let p999 = times["percentile 99.900"], let max = times["<MAX> observation"],
            let sent = counts["SentMessages"], let received = counts["ReceivedMessages"]
        else { return nil }
        self.p50 = p50
        self.p99 = p99
        self.p999 = p999
        self.max = max
        roundTrips = received
        lost = sent - received
    }

    /// `sockperf: ---> percentile 99.900 =  269.615`
    private static func time(in line: Substring) -> (name: Substring, value: Double)? {
        guard let arrow = line.firstRange(of: "---> ") else { return nil }
        let parts = line[arrow.upperBound...].split(separator: "=")
        guard parts.count == 2, let value = Double(parts[1].drop { $0 == " " }) else { return nil }
        return (parts[0].prefix(parts[0].count - 1), value)
    }

    /// `sockperf: [Valid Duration] RunTime=1.550 sec; SentMessages=67517; ReceivedMessages=67517`
    private static func counts(in line: Substring) -> [Substring: Int] {
        var counts: [Substring: Int] = [:]
        for word in line.split(whereSeparator: { $0 == " " || $0 == ";" }) {
            let parts = word.split(separator: "=")
            if parts.count == 2, let value = Int(parts[1]) { counts[parts[0]] = value }
        }
        return counts
    }
}
