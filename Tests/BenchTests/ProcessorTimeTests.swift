import BenchSupport
import Testing

@Suite struct ProcessorTimeTests {
    private func process(_ pid: Int32, parent: Int32, own: Int, children: Int = 0) throws
        -> ProcessTime
    {
        let text = "\(pid) (a (b) c) S \(parent) 1 1 0 -1 4194304 1 2 3 4 \(own) 0 \(children) 0 20"
        return try #require(ProcessTime(stat: text))
    }

    @Test func busyLeavesOutIdleWaitingAndStolenTime() throws {
        let text = "cpu  10 20 30 4000 500 6 7 80 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"
        let time = try #require(ProcessorTime(stat: text))
        #expect(time.busy == 73)
        #expect(time.interrupts == 13)
        #expect(time.steal == 80)
        #expect(ProcessorTime(stat: "intr 5\n") == nil)
    }

    @Test func aNameMayHoldSpacesAndParentheses() throws {
        let text = "42 (x) R 1 (y) S 7 1 1 0 -1 0 1 2 3 4 100 20 3 4 20 0 1"
        let time = try #require(ProcessTime(stat: text))
        #expect((time.pid, time.parent, time.own, time.children) == (42, 7, 120, 7))
        #expect(ProcessTime(stat: "42 (x) R") == nil)
    }

    @Test func othersAreWhoDescendsNeitherFromTheRootNorFromTheKernel() throws {
        let table = ProcessTable([
            try process(1, parent: 0, own: 1), try process(2, parent: 0, own: 10),
            try process(3, parent: 2, own: 100), try process(50, parent: 1, own: 1000),
            try process(51, parent: 50, own: 10_000), try process(60, parent: 1, own: 100_000),
        ])
        #expect(table.ticksOfOthers(than: 50) == 100_001)
        #expect(table.ticks(of: 51) == 10_000)
        #expect(table.ticks(of: 999) == 0)
    }

    @Test func aChildThatEndedInBetweenIsCountedFromWhereItStood() throws {
        let before = ProcessTable([
            try process(60, parent: 1, own: 5), try process(61, parent: 60, own: 70),
        ])
        let after = ProcessTable([try process(60, parent: 1, own: 6, children: 90)])
        #expect(after.ticksOfOthers(than: 50) - before.ticksOfOthers(than: 50) == 21)
    }
}
