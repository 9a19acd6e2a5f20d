import Lab
import Testing

/// Reading what ping and iperf3 print.
struct ReportTests {
    @Test func readsAPing() throws {
        let ping = try #require(
            PingResult(
                output: """
                    PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.

                    --- 10.0.0.2 ping statistics ---
                    3 packets transmitted, 3 received, 0% packet loss, time 403ms
                    rtt min/avg/max/mdev = 0.025/0.035/0.050/0.010 ms
                    """))
        #expect(ping.isComplete)
        let times = try #require(ping.roundTrip)
        #expect([times.min, times.average, times.max] == [0.025, 0.035, 0.050])
    }

    @Test func aLostOrDoubledAnswerIsNotComplete() throws {
        let lost = "3 packets transmitted, 2 received, 33.3333% packet loss, time 403ms"
        let doubled = "2 packets transmitted, 2 received, +1 duplicates, 0% packet loss, time 1ms"
        let unreachable = "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1ms"
        #expect(try !#require(PingResult(output: lost)).isComplete)
        #expect(try #require(PingResult(output: doubled)).duplicates == 1)
        #expect(try !#require(PingResult(output: doubled)).isComplete)
        #expect(try #require(PingResult(output: unreachable)).received == 0)
        #expect(PingResult(output: "ping: connect: Network is unreachable") == nil)
    }

    @Test func readsAThroughput() throws {
        let measured = try Throughput(
            json: """
                {"start": {}, "end": {"sum_sent": {"bits_per_second": 2.5e9, "retransmits": 7},
                 "sum_received": {"bits_per_second": 2.4e9}}}
                """)
        #expect(measured.bitsPerSecond == 2.4e9)
        #expect(measured.retransmits == 7)
    }

    @Test func aFailedMeasurementSaysWhy() {
        let said = "unable to connect to server: Connection refused"
        #expect(throws: LabError.commandFailed("iperf3", status: 1, output: said)) {
            try Throughput(json: "{\"start\": {}, \"end\": {}, \"error\": \"\(said)\"}")
        }
    }
}
