import ControlAPI
import Foundation
import Testing

/// A host with one of each.
func sampleStatus() -> Status {
    Status(
        version: "1.0", host: "host-a", uptimeSeconds: 61,
        workers: [
            WorkerStatus(
                index: 0, cpu: 3, busyPoll: "adaptive",
                features: [
                    "udpGRO": FeatureStatus(inUse: true),
                    "uso": FeatureStatus(inUse: false, reason: "the kernel has no TUN_F_USO4"),
                ], missedMessages: 17,
                load: WorkerLoad(
                    queues: ["submission": QueueStatus(used: 3, peak: 40, capacity: 2048)],
                    receiveBuffers: [
                        "ports": ReceiveBufferStatus(
                            window: 16, lent: 12, held: 4, heldBytes: 6000, capacity: 256)
                    ],
                    turns: TurnStatus(
                        bounds: [1024, 2048], counts: [5, 2, 1], nanoseconds: 1_000_007_500)))
        ],
        networks: [
            NetworkStatus(
                name: "red", vni: 100, mtu: 1450, ports: 1, peers: 2, endpoints: 5,
                dropsByReason: ["tooBig": 2])
        ],
        ports: [
            PortStatus(
                name: "vm\"1\\", network: "red", kind: "tap", device: "weft-vm1", state: .up,
                mtu: 1450, missedFrames: 12,
                counters: TrafficCounters(
                    rxFrames: 1, rxBytes: 60, txFrames: 2, txBytes: 120, drops: 3,
                    dropsByReason: ["portFull": 3, "tooBig": 0]),
                limits: PortLimitsStatus(
                    fromVM: LimitStatus(bitsPerSecond: 8000, burstBytes: 65536, drops: 4),
                    toVM: LimitStatus(packetsPerSecond: 70, drops: 5)))
        ],
        peers: [
            PeerStatus(
                name: "host-b", address: "192.0.2.2", pathMTU: 1500,
                counters: TrafficCounters(rxFrames: .max, dropsByReason: ["unknownVNI": 4]))
        ],
        counters: CounterStatus(
            totals: ["delivered": 7],
            drops: [
                DropCount(reason: "portFull", description: "No room.", count: 0),
                DropCount(reason: "tooBig", description: "Too big.", count: 2),
                DropCount(reason: "portDown", description: "Down.", count: 0, copies: 1),
                DropCount(reason: "runtFrame", description: "Short.", count: 9),
            ]),
        underlay: UnderlayStatus(
            interface: "eth0", allowanceExceeded: ["bw_in": 8, "pps": 0], conntrackAvailable: 99),
        process: ProcessStatus(
            cpuSeconds: 12.34, startTimeSeconds: 1_764_024_000.5, residentBytes: 4096,
            virtualBytes: 8192, threads: 5, openFiles: 70, maxFiles: 1024))
}

@Suite("The API's types")
struct StatusTests {
    @Test("a status survives JSON")
    func roundTrip() throws {
        let status = sampleStatus()
        let bytes = try JSON.encode(status)
        #expect(try JSON.decode(Status.self, from: bytes) == status)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains(#""udpGRO":{"inUse":true}"#))
        #expect(text.contains(#""rxFrames":18446744073709551615"#))
        #expect(text.contains(#""dropsByReason":{"portDown":{"copies":1,"count":0}"#))
    }

    @Test("drops come most frequent first, without those that never were")
    func drops() {
        let counters = sampleStatus().counters
        #expect(counters.drops.map(\.reason) == ["runtFrame", "tooBig", "portDown"])
        #expect(counters.dropsByReason.count == 4)
        #expect(counters.dropsByReason["portFull"] == DropTally(count: 0, copies: 0))
    }

    @Test("an endpoint is behind a port or a peer")
    func endpoints() throws {
        let entry = EndpointEntry(
            network: "red", mac: "02:00:00:00:00:01", ips: ["10.0.0.1"], location: .port("vm1"),
            origin: .static)
        let bytes = try JSON.encode(entry)
        #expect(String(decoding: bytes, as: UTF8.self).contains(#""location":{"port":"vm1"}"#))
        #expect(try JSON.decode(EndpointEntry.self, from: bytes) == entry)
        let peer = try JSON.decode(EndpointLocation.self, from: Array(#"{"peer":"b"}"#.utf8))
        #expect(peer == .peer("b"))
        #expect(throws: (any Error).self) {
            try JSON.decode(EndpointLocation.self, from: Array("{}".utf8))
        }
    }
}

@Suite("Metrics")
struct PrometheusTests {
    private let lines = Prometheus.render(sampleStatus()).split(
        separator: "\n", omittingEmptySubsequences: false)

    @Test(
        "samples",
        arguments: [
            #"weft_info{version="1.0",host="host-a"} 1"#,
            "weft_uptime_seconds 61",
            #"weft_worker_queue_entries{worker="0",queue="submission"} 3"#,
            #"weft_worker_queue_peak_entries{worker="0",queue="submission"} 40"#,
            #"weft_worker_queue_capacity_entries{worker="0",queue="submission"} 2048"#,
            #"weft_worker_receive_window_buffers{worker="0",group="ports"} 16"#,
            #"weft_worker_receive_lent_buffers{worker="0",group="ports"} 12"#,
            #"weft_worker_receive_held_bytes{worker="0",group="ports"} 6000"#,
            #"weft_worker_turn_seconds_bucket{worker="0",le="1.024e-06"} 5"#,
            #"weft_worker_turn_seconds_bucket{worker="0",le="2.048e-06"} 7"#,
            #"weft_worker_turn_seconds_bucket{worker="0",le="+Inf"} 8"#,
            #"weft_worker_turn_seconds_sum{worker="0"} 1.0000075"#,
            #"weft_worker_turn_seconds_count{worker="0"} 8"#,
            #"weft_underlay_allowance_exceeded_total{interface="eth0",allowance="bw_in"} 8"#,
            #"weft_underlay_allowance_exceeded_total{interface="eth0",allowance="pps"} 0"#,
            #"weft_underlay_conntrack_available{interface="eth0"} 99"#,
            #"weft_network_drops_by_reason_total{network="red",reason="tooBig"} 2"#,
            #"weft_port_drops_by_reason_total{port="vm\"1\\",network="red",reason="portFull"} 3"#,
            #"weft_peer_drops_by_reason_total{peer="host-b",reason="unknownVNI"} 4"#,
            "process_cpu_seconds_total 12.34",
            "process_start_time_seconds 1764024000.5",
            "process_open_fds 70",
            #"weft_port_limit_bits_per_second{port="vm\"1\\",network="red","#
                + #"direction="fromVM"} 8000"#,
            #"weft_port_limit_packets_per_second{port="vm\"1\\",network="red","#
                + #"direction="toVM"} 70"#,
            #"weft_port_limit_drops_total{port="vm\"1\\",network="red",direction="toVM"} 5"#,
            #"weft_worker_feature{worker="0",feature="uso"} 0"#,
            #"weft_worker_missed_messages_total{worker="0"} 17"#,
            #"weft_port_missed_packets_total{port="vm\"1\\",network="red"} 12"#,
            #"weft_network_endpoints{network="red"} 5"#,
            #"weft_port_up{port="vm\"1\\",network="red"} 1"#,
            #"weft_port_receive_packets_total{port="vm\"1\\",network="red"} 1"#,
            #"weft_port_transmit_bytes_total{port="vm\"1\\",network="red"} 120"#,
            #"weft_peer_path_mtu_bytes{peer="host-b"} 1500"#,
            #"weft_peer_receive_packets_total{peer="host-b"} 18446744073709551615"#,
            #"weft_drops_total{reason="portFull"} 0"#,
            #"weft_drops_total{reason="runtFrame"} 9"#,
            #"weft_copy_drops_total{reason="portDown"} 1"#,
            #"weft_events_total{event="delivered"} 7"#,
        ])
    func samples(line: String) {
        #expect(lines.contains { $0 == line }, "\(lines.joined(separator: "\n"))")
    }

    @Test("docs/api.md names each metric, and no other")
    func documentation() throws {
        let docs = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "docs")
        let text = try String(contentsOf: docs.appending(path: "api.md"), encoding: .utf8)
        let named = text.matches(of: /`((?:weft|process)_[a-z_]+)`/).map { String($0.1) }
        let rendered = lines.filter { $0.hasPrefix("# TYPE ") }.map {
            String($0.split(separator: " ")[2])
        }
        #expect(Set(named) == Set(rendered))
    }

    @Test("each metric has its help and type once, right before its samples")
    func form() {
        var described: Set<Substring> = []
        var current: Substring = ""
        var isHistogram = false
        for line in lines.dropLast() {
            let words = line.split(separator: " ", maxSplits: 3)
            switch words.first {
            case "#" where words[1] == "HELP":
                current = words[2]
                #expect(described.insert(current).inserted)
            case "#":
                #expect(words[1] == "TYPE" && words[2] == current)
                #expect((words[3] == "counter") == current.hasSuffix("_total"))
                isHistogram = words[3] == "histogram"
            default:
                let name = line.prefix { $0 != "{" && $0 != " " }
                let isOfHistogram = ["_bucket", "_sum", "_count"].contains { name == current + $0 }
                #expect(name == current || isHistogram && isOfHistogram)
            }
        }
        #expect(described.count > 20)
        #expect(lines.last == "")
    }

    @Test("reasons that never were have no series")
    func noSeriesWithoutDrops() {
        #expect(
            !lines.contains {
                $0.hasPrefix("weft_port_drops_by_reason_total{") && $0.contains("tooBig")
            })
    }
}
