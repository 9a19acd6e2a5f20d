import ControlAPI
import Testing
import weft

@Suite("Screens of objects, changes and rates")
struct ObjectScreenTests {
    @Test("a change shows what it was and becomes")
    func changes() {
        let before = JSONTree.object(["name": .string("vm1"), "macs": .strings(["a", "b"])])
        let after = JSONTree.object(["name": .string("vm1"), "trunk": .boolean(true)])
        let text = ChangesScreen.render([
            ObjectChange(kind: "port", name: "vm1", before, after),
            ObjectChange(kind: "port", name: "vm2", nil, after),
            ObjectChange(kind: "peer", name: "b", before, nil),
        ])
        #expect(
            text == """
                ~ port vm1
                    macs: a b -> (default)
                    trunk: (default) -> yes
                + port vm2
                    trunk: yes
                - peer b

                """)
        #expect(ChangesScreen.render([]) == "nothing has changed\n")
    }

    @Test("an object shows what is wanted, then what is, nested fields by their paths")
    func object() throws {
        let status = NetworkStatus(
            name: "red", vni: 100, mtu: 1450, ports: 1, peers: 2, endpoints: 3)
        let spec = JSONTree.object([
            "name": .string("red"), "vni": .integer(100),
            "endpoints": .array([.object(["mac": .string("m"), "peer": .string("b")])]),
        ])
        let text = try ObjectScreen.render(
            "network", "red", ObjectReply(spec: spec, origin: .override, status: status))
        #expect(
            text == """
                network red, set through the API, in place of the configuration file's
                  endpoints[0].mac   m
                  endpoints[0].peer  b
                  vni                100
                  endpoints          3
                  mtu                1450
                  peers              2
                  ports              1

                """)
    }

    @Test("rates are differences by time, the busiest first, and never negative")
    func rates() {
        func status(_ ports: [(String, UInt64, UInt64)]) -> Status {
            Status(
                version: "1", host: "a", uptimeSeconds: 1, workers: [], networks: [],
                ports: ports.map { name, frames, bytes in
                    PortStatus(
                        name: name, network: "red", kind: "tap", device: name, state: .up,
                        mtu: 1450,
                        counters: TrafficCounters(rxFrames: frames, rxBytes: bytes, drops: frames))
                }, peers: [], counters: CounterStatus(totals: [:], drops: []))
        }
        let text = TopScreen.render(
            from: status([("a", 0, 0), ("b", 10, 100), ("c", 1000, 0)]),
            to: status([("a", 1, 1), ("b", 30_010, 3_000_100), ("c", 4, 0)]), seconds: 2)
        #expect(
            text == """
                weftd 1 on a, rates a second

                PORT  RX PPS  RX BIT/S  TX PPS  TX BIT/S  DROPS/S
                b      15.0k     12.0M       0         0    15.0k
                a        0.5         4       0         0      0.5
                c          2         0       0         0        2

                """)
    }

    @Test("an event is a line")
    func event() {
        var event = Event(
            .endpointMoved, network: "red", mac: "02:00:00:00:00:01", from: .peer("b"),
            to: .port("vm1"))
        event.time = "T"
        #expect(
            EventLine.render(event)
                == "T endpointMoved network red 02:00:00:00:00:01 from peer b at port vm1")
    }
}
