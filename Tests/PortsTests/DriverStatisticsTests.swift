import Ports
import Testing
import Wire

@testable import Ports

@Suite("Driver statistics")
struct DriverStatisticsTests {
    /// As a driver fills its arrays: names of 32 bytes, values of 8 in the host's order.
    private func statistics(_ values: [(String, UInt64)]) -> DriverStatistics {
        var names: [UInt8] = []
        var numbers: [UInt8] = []
        for (name, value) in values {
            names += Array(name.utf8) + [UInt8](repeating: 0, count: 32 - name.utf8.count)
            numbers += withUnsafeBytes(of: value) { Array($0) }
        }
        return DriverStatistics(names: names[...], values: numbers[...])
    }

    @Test("ENA's allowances are told from all else by their names")
    func allowances() {
        let driver = statistics([
            ("tx_timeout", 1), ("bw_in_allowance_exceeded", 2), ("bw_out_allowance_exceeded", 3),
            ("pps_allowance_exceeded", 0), ("conntrack_allowance_exceeded", .max),
            ("linklocal_allowance_exceeded", 5), ("conntrack_allowance_available", 6),
            ("queue_0_tx_cnt", 7), ("_allowance_exceeded", 8), ("allowance_exceeded_x", 9),
        ])
        #expect(
            driver.values(ending: "_allowance_exceeded")
                == ["bw_in": 2, "bw_out": 3, "pps": 0, "conntrack": .max, "linklocal": 5])
        #expect(driver.values(ending: "_allowance_available") == ["conntrack": 6])
    }

    @Test("a name may fill its 32 bytes, and arrays may differ in length")
    func bounds() {
        let long = String(repeating: "n", count: 32)
        #expect(statistics([(long, 1)]).values.map(\.name) == [long])
        let names = [UInt8](repeating: 0x61, count: 70)
        #expect(DriverStatistics(names: names[...], values: [1, 2, 3][...]).values.isEmpty)
        let one = DriverStatistics(names: names[...], values: [UInt8](repeating: 1, count: 24)[...])
        #expect(one.values.count == 2)
    }

    @Test("a veth tells of itself", .enabled(if: isRoot, "needs root"))
    func veth() throws {
        let (one, other) = (try TestNamespace(), try TestNamespace())
        try one.connect("veth-a", to: other, "veth-b")
        let (peer, told) = try NetworkNamespace.run(in: one.namespace) { () throws(SystemError) in
            let statistics = try DriverStatistics(of: "veth-a")
            return (statistics.values.first { $0.name == "peer_ifindex" }?.value, statistics)
        }
        let index = try Link("veth-b", in: other.namespace).index
        #expect(peer == UInt64(index))
        #expect(told.values.allSatisfy { !$0.name.isEmpty })
        #expect(told.values(ending: "_allowance_exceeded").isEmpty)
    }

    @Test("an interface that tells nothing, or is not there, is an error")
    func refused() {
        #expect(throws: SystemError.self) { try DriverStatistics(of: "lo") }
        #expect(throws: SystemError.self) { try DriverStatistics(of: "none-such") }
    }
}
