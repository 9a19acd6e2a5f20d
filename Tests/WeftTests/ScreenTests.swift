import ControlAPI
import Testing
import weft

/// At the margin, where its wide lines fit.
private let statusScreen = """
    weftd 1.0 on host-a, up 1 d 2 h
    worker 0: cpu 3, busy poll 50us; uses udpGRO udpSegment
      without uso: no TUN_F_USO4

    NETWORK  VNI   MTU  PORTS  PEERS  ENDPOINTS
    red      100  1450      1      2         12

    PORT  NETWORK  KIND  DEVICE    STATE   MTU  RX FRAMES  RX BYTES  TX FRAMES  TX BYTES  DROPS
    vm1   red      tap   weft-vm1  up     1450       9999     10.0k      12.3M     18.4E      0

    DROPPED  FRAMES  COPIES  MOST AT   MEANING
    reason0      10       0  port vm1  Why.
    reason1       9       0  -         Why.
    reason2       8       0  -         Why.
    reason3       7       0  -         Why.
    reason4       6       0  -         Why.
    reason5       5       0  -         Why.
    reason6       4       0  -         Why.
    reason7       3       0  -         Why.
    and 2 more reasons: weft stats

    """

@Suite("What the command line shows")
struct ScreenTests {
    @Test("a host on one screen")
    func status() {
        let status = Status(
            version: "1.0", host: "host-a", uptimeSeconds: 93_661,
            workers: [
                WorkerStatus(
                    index: 0, cpu: 3, busyPoll: "50us",
                    features: [
                        "udpSegment": FeatureStatus(inUse: true),
                        "udpGRO": FeatureStatus(inUse: true),
                        "uso": FeatureStatus(inUse: false, reason: "no TUN_F_USO4"),
                    ])
            ],
            networks: [
                NetworkStatus(
                    name: "red", vni: 100, mtu: 1450, ports: 1, peers: 2, endpoints: 12)
            ],
            ports: [
                PortStatus(
                    name: "vm1", network: "red", kind: "tap", device: "weft-vm1", state: .up,
                    mtu: 1450,
                    counters: TrafficCounters(
                        rxFrames: 9999, rxBytes: 10_000, txFrames: 12_345_678, txBytes: .max,
                        drops: 0, dropsByReason: ["reason0": 1]))
            ],
            peers: [],
            counters: CounterStatus(
                totals: [:],
                drops: (0..<10).map { index in
                    DropCount(
                        reason: "reason\(index)", description: "Why.", count: 10 - UInt64(index))
                }))
        #expect(StatusScreen.render(status) == statusScreen)
    }

    @Test("what the kernel lost before the daemon could read it shows where there is any")
    func missed() {
        let port = PortStatus(
            name: "vm1", network: "red", kind: "tap", device: "weft-vm1", state: .up, mtu: 1450,
            missedFrames: 12_345, counters: TrafficCounters())
        let worker = WorkerStatus(
            index: 0, cpu: nil, busyPoll: "off", features: [:], missedMessages: 7)
        let screen = StatusScreen.render(
            Status(
                version: "1.0", host: "host-a", uptimeSeconds: 1, workers: [worker], networks: [],
                ports: [port], peers: [], counters: CounterStatus(totals: [:], drops: [])))
        #expect(screen.contains("  missed 7 messages: its socket was full\n"))
        #expect(screen.contains("DROPS  MISSED\n"))
        #expect(screen.contains("    0   12.3k\n"))
    }

    @Test("what EC2 holds back, and descriptors that run out, show where there is any")
    func warnings() {
        var status = Status(
            version: "1.0", host: "host-a", uptimeSeconds: 1, workers: [], networks: [],
            ports: [], peers: [], counters: CounterStatus(totals: [:], drops: []),
            underlay: UnderlayStatus(interface: "eth0", allowanceExceeded: ["pps": 0, "bw_in": 0]),
            process: ProcessStatus(
                cpuSeconds: 1, startTimeSeconds: 1, residentBytes: 1, virtualBytes: 1, threads: 1,
                openFiles: 900, maxFiles: 1000))
        #expect(StatusScreen.render(status) == "weftd 1.0 on host-a, up 1 s\n")
        status.underlay?.allowanceExceeded = ["pps": 12_345, "bw_in": 0, "bw_out": 7]
        status.process?.openFiles = 901
        #expect(
            StatusScreen.render(status) == """
                weftd 1.0 on host-a, up 1 s
                underlay eth0: packets beyond EC2's allowances: bw_out 7, pps 12.3k
                901 of 1000 file descriptors are open

                """)
    }

    @Test("endpoints, by network and MAC")
    func endpoints() {
        let entries = [
            EndpointEntry(
                network: "red", mac: "02:00:00:00:00:02", ips: [], location: .peer("host-b"),
                origin: .learned, ageSeconds: 12),
            EndpointEntry(
                network: "red", mac: "02:00:00:00:00:01", ips: ["10.0.0.1", "fd00::1"],
                location: .port("vm1"), origin: .static),
        ]
        let expected = """
            NETWORK  MAC                WHERE        ORIGIN    AGE  ADDRESSES
            red      02:00:00:00:00:01  port vm1     static      -  10.0.0.1 fd00::1
            red      02:00:00:00:00:02  peer host-b  learned  12 s

            """
        #expect(EndpointsScreen.render(entries) == expected)
        #expect(EndpointsScreen.render([]) == "no endpoints are known\n")
    }

    @Test("every counter, zeros where asked")
    func stats() {
        let counters = CounterStatus(
            totals: ["sent": 20_000, "answered": 1],
            drops: [
                DropCount(reason: "portDown", description: "Down.", count: 0, copies: 3),
                DropCount(reason: "portFull", description: "No room.", count: 0),
            ])
        let expected = """
            COUNTED   NUMBER
            answered       1
            sent       20000

            DROPPED   FRAMES  COPIES  MEANING
            portDown       0       3  Down.

            """
        #expect(StatsScreen.render(counters, all: false) == expected)
        #expect(StatsScreen.render(counters, all: true) == expected + "portFull       0       0\n")
        let none = CounterStatus(totals: [:], drops: [])
        #expect(StatsScreen.render(none, all: false) == "nothing was dropped\n")
    }
}
