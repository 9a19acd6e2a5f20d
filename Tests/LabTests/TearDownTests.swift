import Glibc
import Lab
import Testing

/// A lab leaves nothing behind, however it ends.
@Suite(.enabled(if: geteuid() == 0, "network namespaces need root"), .serialized)
struct TearDownTests {
    private let name = "t\(getpid())-down"

    /// Namespaces and files of the lab that are there now.
    private func traces() throws -> [String] {
        try Command(["sh", "-c", "ls -d /run/netns/\(name)-* /run/weft-lab/\(name)* 2>/dev/null"])
            .run().stdout.split(separator: "\n").map(String.init)
    }

    private func isRunning(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }

    @Test func removesAllItMade() throws {
        let lab = try Lab(name: name)
        let host = try lab.addHost()
        try lab.addVM(
            "vm1", on: host, network: LabNetwork("blue", vni: 100), addresses: ["10.0.0.1/24"])
        let polite = try host.spawn(["sleep", "1000"], name: "polite")
        let stubborn = try host.spawn(
            ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], name: "stubborn")
        #expect(polite.isRunning && stubborn.isRunning)
        #expect(try traces().count >= 5)

        lab.tearDown()
        #expect(try traces() == [])
        #expect(!isRunning(polite.pid))
        #expect(!isRunning(stubborn.pid))
    }

    @Test func removesAllWhenBuildingFails() throws {
        struct Failure: Error {}
        #expect(throws: Failure.self) {
            try Lab.with(name: name) { lab in
                try lab.addHost()
                throw Failure()
            }
        }
        #expect(try traces() == [])
    }

    @Test func leavesANamespaceAloneThatItDidNotMake() throws {
        try Command(["ip", "netns", "add", "\(name)-one-0"]).check()
        defer { _ = try? Command(["ip", "netns", "del", "\(name)-one-0"]).run() }
        #expect(throws: LabError.self) {
            try Lab.with(name: name) { try $0.addHost() }
        }
        #expect(try traces() == ["/run/netns/\(name)-one-0"])
    }

    @Test func aStandingLabIsInTheWayUntilItIsRemoved() throws {
        let lab = try Lab(name: name)
        try lab.addHost()
        // Ours, as long as this process lives.
        #expect(throws: LabError.self) { try Lab.remove(name: name) }
        try lab.leaveStanding()
        #expect(throws: LabError.self) { try Lab(name: name) }
        #expect(try traces() != [])
        try Lab.remove(name: name)
        #expect(try traces() == [])
        #expect(throws: LabError.noSuchLab(name)) { try Lab.remove(name: name) }
    }

    @Test func aLabOfAnEarlierVersionCanBeRemoved() throws {
        let lab = try Lab(name: name, options: LabOptions(mtu: 9001))
        try lab.leaveStanding()
        let path = "/run/weft-lab/\(name).json"
        let state = try Command(["cat", path]).check()
        // Of the options it knew two.
        let early = state.replacing(
            #/"options" : \{[^}]*\}/#, with: #""options" : { "mtu" : 9001, "profile" : "nic" }"#)
        #expect(early != state)
        try Command(["tee", path], input: early).check()
        #expect(try Lab.overview(of: name).contains("MTU 9001"))
        try Lab.remove(name: name)
        #expect(try traces() == [])
    }

    /// Killed before, while and after it builds, by each signal that it catches. A shell has what
    /// it starts in the background ignore SIGINT, until the program says otherwise.
    @Test(
        .enabled(if: Lab.hasProgram("weft"), "set WEFT_BIN to the directory of a built weft"),
        arguments: ["INT", "TERM", "HUP"], [0.02, 0.05, 0.5])
    func aSignalRemovesAll(signal: String, delay: Double) throws {
        let weft = "\(Lab.programDirectory)/weft"
        let result = try Command([
            "sh", "-c",
            """
            env --default-signal=INT \(weft) lab up --foreground --name \(name) & pid=$!
            sleep \(delay); kill -\(signal) $pid; wait $pid
            """,
        ]).run()
        #expect(!result.timedOut)
        #expect(try traces() == [])
    }

    @Test(.enabled(if: Lab.hasProgram("weft"), "set WEFT_BIN to the directory of a built weft"))
    func whatACrashLeftIsRemovedByTheNextLab() throws {
        let weft = "\(Lab.programDirectory)/weft"
        let crash = "\(weft) lab up --foreground --name \(name) & sleep 0.5; kill -KILL $!"
        _ = try Command(["sh", "-c", crash]).run()
        #expect(try traces() != [])
        try Lab.with(name: name) { _ = try $0.addHost() }
        #expect(try traces() == [])
    }
}
