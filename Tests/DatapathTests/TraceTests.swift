import Catalog
import ControlAPI
import Forwarding
import Logging
import Testing
import Wire

@testable import Datapath

private let file = """
    host: a
    underlay: {address: 127.0.0.1}
    peers:
      - {name: host-b, address: 127.0.0.2}
      - {name: host-c, address: 127.0.0.3, networks: [red]}
    networks:
      - name: blue
        vni: 100
        mtu: 1450
        endpoints: [{mac: 02:00:00:00:00:0b, ips: [10.0.0.11, 'fd00::11'], peer: host-b}]
      - {name: red, vni: 200, mtu: 1450, gateway: 10.0.0.254}
      - {name: quiet, vni: 300, learning: false, arpSuppression: false}
    ports:
      - {name: vm1, network: blue, kind: tap, macs: [02:00:00:00:00:01], ips: [10.0.0.1]}
      - {name: vm2, network: blue, kind: tap, trunk: true}
      - {name: vm3, network: red, kind: tap, macs: [02:00:00:00:00:03]}
      - {name: alone, network: quiet, kind: tap}
    """

/// Requests, and how their traces are told. Ports have no devices here, so what goes to one ends
/// there as `portDown`.
@Suite("Traces")
struct TraceTests {
    private let keeper: Keeper

    init() throws {
        keeper = try Keeper(
            try Configuration.parse(yaml: file, file: "weft.yaml"),
            underlay: .v4(IPv4Address(bits: 0x7f00_0001)), workers: 1,
            handover: Handover(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func trace(_ change: (inout TraceRequest) -> Void) throws -> TraceReply {
        var request = TraceRequest()
        change(&request)
        return try keeper.trace(request).get()
    }

    private func text(_ reply: TraceReply, _ stage: TraceStep.Stage) -> String {
        reply.steps.filter { $0.stage == stage }.map(\.text).joined(separator: "; ")
    }

    private func learn(_ mac: String, _ ip: String, at place: Location, network: UInt16) throws {
        let mac = try #require(MACAddress(mac))
        let key = EndpointKey(network: network, mac: mac)
        keeper.tables.endpoints.set(key, place, seen: WorkerTables.seconds())
        let address = try #require(IPAddress(ip))
        keeper.tables.neighbors.set(NeighborKey(network: network, address: address), mac)
    }

    // MARK: What is told

    @Test func toAPeer() throws {
        let reply = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
        }
        #expect(reply.verdict == TraceVerdict(.sent))
        #expect(
            text(reply, .frame)
                == "02:00:00:00:00:01 > 02:00:00:00:00:0b, 98 bytes, IPv4 10.0.0.1 > 10.0.0.11, "
                + "ICMP echo request; source MAC 02:00:00:00:00:01: the port's first; "
                + "source IP 10.0.0.1: the port's first; 10.0.0.11 is 02:00:00:00:00:0b, by the "
                + "neighbour table (static)")
        #expect(
            text(reply, .port)
                == "vm1 in network blue (VNI 100); device weft-vm1 is missing: nothing comes "
                + "from it now")
        #expect(text(reply, .source).hasSuffix("one of the port's macs, its IP one of its ips"))
        #expect(text(reply, .learning) == "the source is known at port vm1 (static)")
        #expect(text(reply, .destination) == "02:00:00:00:00:0b is at peer host-b (static)")
        #expect(text(reply, .verdict) == "sent to peer host-b")
        let tunnel = try #require(reply.destinations.first?.tunnel)
        #expect(tunnel.destination == "127.0.0.2")
        #expect(tunnel.vni == 100)
        #expect(tunnel.packetBytes == 134)
        #expect(tunnel.datagrams == 1)
        #expect(reply.frame.hasPrefix("02000000000b020000000001080045"))
        #expect(reply.steps.map(\.stage).last == .verdict)
        #expect(reply.steps.allSatisfy { $0.drop == nil })
    }

    @Test func aSourceThatThePortMayNotUse() throws {
        let mac = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.src = "02:00:00:00:00:99"
        }
        #expect(mac.verdict.reason == "spoofedMAC")
        #expect(mac.verdict.description == Drop.spoofedMAC.help)
        #expect(text(mac, .source).hasSuffix("none of the port's macs: 02:00:00:00:00:01"))
        #expect(mac.steps.contains { $0.stage == .source && $0.drop == "spoofedMAC" })
        #expect(text(mac, .destination) == "", "not reached")
        let ip = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.src = "10.0.0.9"
        }
        #expect(ip.verdict.reason == "spoofedIP")
        #expect(text(ip, .source).hasSuffix("10.0.0.1"))
        let stolen = try trace {
            $0.port = "vm2"
            $0.dst = "10.0.0.11"
            $0.src = "02:00:00:00:00:01"
        }
        #expect(stolen.verdict.reason == "stolenMAC")
        #expect(text(stolen, .source) == "02:00:00:00:00:01 is fixed at port vm1 (static)")
        let tagged = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.vlan = 5
        }
        #expect(tagged.verdict.reason == "vlanNotAllowed")
    }

    @Test func anAddressThatNobodyHas() throws {
        let reply = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.77"
            $0.proto = .tcp
            $0.length = 1000
        }
        #expect(text(reply, .frame).contains("ARP: who has 10.0.0.77, tell 10.0.0.1"))
        #expect(text(reply, .frame).contains("nobody is known to have 10.0.0.77"))
        #expect(text(reply, .neighbour) == "nobody is known to have 10.0.0.77")
        // A port without a device here, host-b, and host-c that has another network.
        #expect(reply.verdict.result == .flooded)
        #expect(reply.destinations.map(\.port) == ["vm2", nil])
        #expect(reply.destinations.map(\.peer) == [nil, "host-b"])
        #expect(reply.destinations.map(\.drop) == ["portDown", nil])
        #expect(text(reply, .verdict) == "flooded: 1 of 2 copies leave")
    }

    @Test func aQuestionThatIsAnsweredHere() throws {
        let arp = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.proto = .arp
        }
        #expect(arp.verdict == TraceVerdict(.answered))
        #expect(
            text(arp, .neighbour) == "10.0.0.11 is 02:00:00:00:00:0b (static): answered here")
        #expect(arp.answer?.hasPrefix("02000000000102000000000b0806") == true)
        let unasked = try trace {
            $0.port = "alone"
            $0.dst = "10.0.0.11"
            $0.proto = .arp
        }
        #expect(unasked.verdict.reason == "nobodyToFlood" || unasked.verdict.result == .flooded)
        #expect(text(unasked, .learning) == "the network does not learn")
    }

    @Test func aFrameThatThePathDoesNotTake() throws {
        let silent = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.length = 1465
        }
        #expect(silent.verdict.reason == "tooBig")
        #expect(text(silent, .size) == "a frame of 1465 bytes is more than the path takes")
        try learn("02:00:00:00:00:0c", "10.0.0.12", at: .peer(1), network: 1)
        let told = try trace {
            $0.port = "vm3"
            $0.dst = "10.0.0.12"
            $0.src = "10.0.0.3"
            $0.length = 1465
        }
        #expect(told.verdict == TraceVerdict(.answered))
        #expect(
            text(told, .size).contains("10.0.0.254 > 10.0.0.3, ICMP fragmentation needed, MTU 1450")
        )
        let fits = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.length = 1464
        }
        #expect(fits.verdict.result == .sent)
    }

    @Test func aSuperframe() throws {
        let reply = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.proto = .tcp
            $0.segment = 1400
            $0.length = 54 + 14_000
        }
        #expect(text(reply, .size) == "a superframe of 10 frames, the longest 1454 bytes")
        #expect(reply.destinations.first?.tunnel?.datagrams == 10)
        #expect(reply.destinations.first?.tunnel?.messages == 1)
        #expect(reply.destinations.first?.tunnel?.packetBytes == 1490)
        let refused = try trace {
            $0.port = "vm1"
            $0.dst = "10.0.0.11"
            $0.proto = .tcp
            $0.segment = 7
            $0.length = 1000
        }
        #expect(refused.verdict.reason == "malformedOffload")
        #expect(text(refused, .size).hasSuffix("segmentSize"))
    }

    @Test func fromAPeer() throws {
        let reply = try trace {
            $0.peer = "host-b"
            $0.network = "blue"
            $0.dst = "10.0.0.1"
        }
        #expect(reply.verdict.reason == "portDown", "there is no device here")
        #expect(
            text(reply, .underlay)
                == "127.0.0.2 is peer host-b, which has network blue (VNI 100)")
        #expect(text(reply, .frame).contains("source MAC 02:00:00:00:00:0b: an endpoint"))
        #expect(text(reply, .frame).contains("source IP 10.0.0.11: by the neighbour table"))
        #expect(text(reply, .delivery) == "port vm1: device weft-vm1 is missing")
        #expect(reply.frame.hasPrefix("02000000000102000000000b"), "without the VXLAN header")
        let relayed = try trace {
            $0.peer = "host-c"
            $0.network = "red"
            $0.dst = "02:00:00:00:00:03"
        }
        #expect(text(relayed, .frame).contains("made up"))
        #expect(relayed.verdict.reason == "portDown")
    }

    @Test func fromWhereNothingMayCome() throws {
        func reason(_ change: (inout TraceRequest) -> Void) throws -> (String?, String) {
            let reply = try trace {
                $0.dst = "02:00:00:00:00:01"
                change(&$0)
            }
            return (reply.verdict.reason, text(reply, .underlay))
        }
        #expect(
            try reason {
                $0.from = "127.0.0.9"
                $0.vni = 100
            } == ("unknownPeer", "127.0.0.9 is no peer of this host"))
        #expect(
            try reason {
                $0.from = "127.0.0.2"
                $0.vni = 999
            } == ("unknownVNI", "127.0.0.2 is peer host-b; no network of this host has VNI 999"))
        #expect(
            try reason {
                $0.peer = "host-c"
                $0.network = "blue"
            } == (
                "peerNotInNetwork",
                "127.0.0.3 is peer host-c, which does not have the network of VNI 100"
            ))
        let bare = try trace {
            $0.peer = "host-b"
            $0.hex = "0000 0000\n0000 6400"
        }
        #expect(bare.verdict.reason == "notVXLAN")
        let runt = try trace {
            $0.peer = "host-b"
            $0.network = "blue"
            $0.hex = "01 02"
        }
        #expect(runt.verdict.reason == "runtFrame")
        #expect(text(runt, .frame) == "2 bytes")
    }

    @Test func fromATunnelIntoATunnel() throws {
        let reply = try trace {
            $0.peer = "host-b"
            $0.network = "blue"
            $0.dst = "02:00:00:00:00:0b"
        }
        #expect(reply.verdict.reason == "splitHorizon")
    }

    @Test func whatWasLearnedIsToldWithItsAge() throws {
        try learn("02:00:00:00:00:22", "10.0.0.22", at: .port(1), network: 0)
        let reply = try trace {
            $0.port = "vm2"
            $0.dst = "10.0.0.1"
        }
        #expect(text(reply, .frame).contains("source MAC 02:00:00:00:00:22: an endpoint"))
        #expect(text(reply, .learning).contains("port vm2 (learned, seen "))
        let moved = try trace {
            $0.peer = "host-b"
            $0.network = "blue"
            $0.src = "10.0.0.22"
            $0.dst = "10.0.0.1"
        }
        #expect(text(moved, .learning).hasSuffix("the frame would move it to peer host-b"))
        let new = try trace {
            $0.port = "vm2"
            $0.src = "02:00:00:00:00:33"
            $0.dst = "10.0.0.22"
        }
        #expect(
            text(new, .learning)
                == "the source is new; the frame would teach that it is at port vm2")
        #expect(new.verdict.reason == "samePort")
        let unknown = try trace {
            $0.port = "alone"
            $0.dst = "02:00:00:00:00:44"
        }
        #expect(unknown.verdict.reason == "unknownUnicast")
        #expect(text(unknown, .destination).hasSuffix("the network does not learn, nor flood"))
    }

    @Test("the tables stay as they are") func nothingChanges() throws {
        let before = (keeper.tables.endpoints.count, keeper.tables.neighbors.count)
        for port in ["vm1", "vm2", "vm3", "alone"] {
            for dst in ["10.0.0.11", "10.0.0.77", "ff:ff:ff:ff:ff:ff", "fd00::11"] {
                _ = try trace {
                    $0.port = port
                    $0.dst = dst
                }
            }
        }
        keeper.tables.applySightings(now: WorkerTables.seconds())
        #expect((keeper.tables.endpoints.count, keeper.tables.neighbors.count) == before)
        let counters = keeper.workerTables[0].counters
        #expect(Total.allCases.allSatisfy { counters.read($0) == 0 })
        #expect(Drop.allCases.allSatisfy { counters.read(drop: $0) == 0 })
        #expect(keeper.workerTables[0].learning.isEmpty)
    }

    // MARK: What makes no sense

    @Test(
        "a request that makes no sense names its field",
        arguments: [
            ("{}", "port"), (#"{"port":"vm1","peer":"host-b","dst":"10.0.0.1"}"#, "port"),
            (#"{"port":"nobody","dst":"10.0.0.1"}"#, "port"), (#"{"port":"vm1"}"#, "dst"),
            (#"{"port":"vm1","dst":"somewhere"}"#, "dst"),
            (#"{"port":"vm1","dst":"10.0.0.1","network":"blue"}"#, "network"),
            (#"{"port":"vm1","dst":"10.0.0.1","vni":1}"#, "vni"),
            (#"{"port":"vm1","dst":"10.0.0.11","src":"fd00::1"}"#, "src"),
            (#"{"port":"vm1","dst":"10.0.0.11","src":"x"}"#, "src"),
            (#"{"port":"vm1","dst":"02:00:00:00:00:02","proto":"arp"}"#, "dst"),
            (#"{"port":"vm1","dst":"224.0.0.1","proto":"arp"}"#, "dst"),
            (#"{"port":"vm1","dst":"10.0.0.11","dport":80}"#, "dport"),
            (#"{"port":"vm1","dst":"10.0.0.11","length":41}"#, "length"),
            (#"{"port":"vm1","dst":"10.0.0.11","length":65550}"#, "length"),
            (#"{"port":"vm1","dst":"10.0.0.11","vlan":4095}"#, "vlan"),
            (#"{"port":"vm1","dst":"10.0.0.77","vlan":-1}"#, "vlan"),
            (#"{"port":"vm1","dst":"10.0.0.77","length":-1}"#, "length"),
            (#"{"port":"vm1","dst":"10.0.0.11","dport":65536,"proto":"tcp"}"#, "dport"),
            (#"{"port":"vm1","dst":"10.0.0.11","segment":-1,"proto":"tcp"}"#, "segment"),
            (#"{"port":"vm1","dst":"10.0.0.11","segment":1400,"length":3000}"#, "segment"),
            (#"{"port":"vm1","dst":"10.0.0.11","segment":1400,"proto":"tcp"}"#, "length"),
            (#"{"port":"vm1","hex":"00","dst":"10.0.0.11"}"#, "dst"),
            (#"{"port":"vm1","hex":" \n"}"#, "hex"), (#"{"port":"vm1","hex":"012"}"#, "hex"),
            (#"{"port":"vm1","hex":"0g"}"#, "hex"), (#"{"port":"vm1","hex":"é"}"#, "hex"),
            (#"{"peer":"nobody","network":"blue","dst":"10.0.0.1"}"#, "peer"),
            (#"{"peer":"host-b","dst":"10.0.0.1"}"#, "network"),
            (#"{"peer":"host-b","network":"nowhere","dst":"10.0.0.1"}"#, "network"),
            (#"{"peer":"host-b","network":"blue","vni":100,"dst":"10.0.0.1"}"#, "vni"),
            (#"{"from":"127.0.0.2","vni":16777216,"dst":"10.0.0.1"}"#, "vni"),
            (#"{"from":"host-b","vni":100,"dst":"10.0.0.1"}"#, "from"),
            (#"{"peer":"host-b","vni":100,"dst":"::1","proto":"tcp","segment":9}"#, "segment"),
        ])
    func refusals(_ json: String, _ field: String) throws {
        let request = try JSON.decode(TraceRequest.self, from: Array(json.utf8))
        let error = #expect(throws: TraceError.self) { try keeper.trace(request).get() }
        #expect(error?.field == field)
    }

    @Test("no request ends the daemon") func hostileRequests() throws {
        for length in [0, 1, 13, 14, 15, 34, 2048, 65535] {
            let frame = String(repeating: "08", count: length)
            for origin in ["port", "peer"] {
                var request = TraceRequest()
                request.hex = frame
                if origin == "port" { request.port = "vm2" } else { request.peer = "host-b" }
                let reply = keeper.trace(request)
                if length > 0 { _ = try reply.get() }
            }
        }
        for length in [-1, 0, Int.max, Int.min] {
            for proto in TraceRequest.Proto.allCases {
                var request = TraceRequest()
                request.port = "vm1"
                request.dst = "10.0.0.11"
                request.proto = proto
                request.length = length
                #expect(throws: TraceError.self) { try keeper.trace(request).get() }
            }
        }
    }
}
