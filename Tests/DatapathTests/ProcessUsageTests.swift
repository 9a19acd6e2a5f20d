import ControlAPI
import Testing
import Wire

@testable import Datapath

/// What is read of /proc/self/stat; proc_pid_stat(5) numbers the fields.
@Suite("Process usage")
struct ProcessUsageTests {
    private static let rest =
        "S 1 2 3 4 5 6 7 8 9 10 250 984 0 0 20 0 11 0 500 123456789 3000 18446744073709551615 1 1"

    private func status(_ stat: String) -> ProcessStatus? {
        ProcessStatus(
            stat: stat, bootTime: 1000, ticksPerSecond: 100, pageSize: 4096, openFiles: 7,
            maxFiles: 99)
    }

    @Test(
        "fields go by their numbers, whatever the program is called",
        arguments: ["weftd", "a b", "we) S 9 (ft", ""])
    func fields(name: String) {
        #expect(
            status("42 (\(name)) \(Self.rest)")
                == ProcessStatus(
                    cpuSeconds: 12.34, startTimeSeconds: 1005, residentBytes: 3000 * 4096,
                    virtualBytes: 123_456_789, threads: 11, openFiles: 7, maxFiles: 99))
    }

    @Test("what is no such line is nothing", arguments: ["", "42 weftd S 1", "42 (weftd) S 1 2 x"])
    func nothing(stat: String) { #expect(status(stat) == nil) }

    @Test("this process has memory, threads and files")
    func thisProcess() throws {
        let process = try #require(ProcessStatus.current())
        #expect(process.residentBytes > 1 << 20 && process.residentBytes < process.virtualBytes)
        #expect(process.threads >= 1)
        #expect(process.openFiles >= 3 && UInt64(process.openFiles) <= process.maxFiles)
        #expect(process.startTimeSeconds > 1_600_000_000)
    }
}

@Suite("Allowances")
struct AllowancesTests {
    @Test("are asked for every ten seconds at most")
    func interval() {
        var allowances = Allowances()
        let second: UInt64 = 1_000_000_000
        let loopback = IPAddress.v4(IPv4Address(bits: 0x7f00_0001))
        let first = allowances.status(of: loopback, now: 5 * second)
        #expect(first == UnderlayStatus(interface: "lo"))
        // No interface has it; what was told is told again.
        let none = IPAddress.v4(IPv4Address(bits: 0xc000_024d))
        #expect(allowances.status(of: none, now: 14 * second) == first)
        #expect(allowances.status(of: none, now: 15 * second) == nil)
    }
}
