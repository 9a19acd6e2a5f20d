import BenchSupport
import Testing

@Suite struct SockperfReportTests {
    /// What version 3.7 prints on a pipe, shortened.
    private static let text = """
        sockperf: \u{1B}[2;35m== version #3.7-no.git == \u{1B}[0m
        sockperf[CLIENT] send on:sockperf: using recvfrom() to block on socket(s)

        [ 0] IP = 127.0.0.1       PORT = 11111 # UDP
        sockperf: Test ended
        sockperf: [Total Run] RunTime=2.000 sec; SentMessages=86279; ReceivedMessages=86278
        sockperf: [Valid Duration] RunTime=1.550 sec; SentMessages=67517; ReceivedMessages=67515
        sockperf: \u{1B}[2;35m====> avg-rtt=22.917 (std-dev=23.132)\u{1B}[0m
        sockperf: Summary: Round trip is 22.917 usec
        sockperf: ---> <MAX> observation = 1901.140
        sockperf: ---> percentile 99.999 = 1604.354
        sockperf: ---> percentile 99.900 =  269.615
        sockperf: ---> percentile 99.000 =   48.140
        sockperf: ---> percentile 50.000 =   21.269
        sockperf: ---> <MIN> observation =   13.575
        """

    @Test func readsPercentilesAndTheCountsOfTheTimeThatCounts() throws {
        let report = try #require(SockperfReport(Self.text))
        #expect(report.p50 == 21.269)
        #expect(report.p99 == 48.140)
        #expect(report.p999 == 269.615)
        #expect(report.max == 1901.140)
        #expect(report.roundTrips == 67515)
        #expect(report.lost == 2)
    }

    @Test(arguments: [
        "", "sockperf: ERROR: Can`t bind socket: Address already in use\n",
        "sockperf: No messages were received from the server. Is the server down?\n",
    ])
    func anErrorIsNoReport(text: String) {
        #expect(SockperfReport(text) == nil)
    }

    @Test(arguments: ["percentile 99.900", "<MAX>", "[Valid Duration]"])
    func aReportThatLacksALineIsNone(missing: String) {
        let lines = Self.text.split(separator: "\n").filter { !$0.contains(missing) }
        #expect(SockperfReport(lines.joined(separator: "\n")) == nil)
    }
}
