import ArgumentParser
import ControlAPI
import FoundationEssentials
import Glibc

/// `weft trace`: what would become of a frame.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "What would become of a frame, decision by decision.",
        discussion: """
            The daemon runs a made-up frame, or one that is given in hexadecimal digits, through \
            its own forwarding with its tables as they are, and tells each decision. Nothing is \
            sent, learned or counted. What `ovs-appctl ofproto/trace` does for Open vSwitch.

            Ends with 0 if the frame would arrive somewhere or be answered, 3 if it would be \
            dropped.

            Examples:
              weft trace --port vm1 --dst 10.0.0.2
              weft trace --port vm1 --dst 02:00:0a:00:00:02 --proto tcp --dport 443 --length 1500
              weft trace --port vm1 --dst 10.0.0.2 --proto tcp --segment 1400 --length 60000
              weft trace --port vm1 --hex - < frame.txt
              weft trace --peer host-b --network blue --dst 10.0.0.1
              weft trace --from 192.0.2.9 --vni 100 --dst ff:ff:ff:ff:ff:ff
            """)

    @Option(help: "The port that the frame comes from.")
    var port: String?
    @Option(help: "The peer that it comes from.")
    var peer: String?
    @Option(help: "The address on the underlay that it comes from, a peer's or not.")
    var from: String?
    @Option(help: "From the underlay: its network.")
    var network: String?
    @Option(help: "From the underlay: its VNI, in place of the network.")
    var vni: Int?

    @Option(help: "The MAC or IP that it is for.")
    var dst: String?
    @Option(help: "The MAC or IP of its sender; what the port may use, or has, unless given.")
    var src: String?
    @Option(
        help: "icmp (an echo request), tcp, udp, or arp (who has the IP?).",
        transform: { text in
            guard let proto = TraceRequest.Proto(rawValue: text) else {
                throw ValidationError("expected icmp, tcp, udp or arp, found \(text)")
            }
            return proto
        })
    var proto: TraceRequest.Proto?
    @Option(help: "Destination port of TCP and UDP.")
    var dport: Int?
    @Option(help: "Bytes of the whole frame, from its Ethernet header on.")
    var length: Int?
    @Option(help: "A VLAN tag.")
    var vlan: Int?
    @Option(help: "A superframe (TSO, USO) of segments with this many bytes of payload.")
    var segment: Int?
    @Option(
        help: """
            The whole frame in hexadecimal digits, `-` to read them; from the underlay without \
            --network and --vni the datagram's payload, from the VXLAN header on.
            """)
    var hex: String?

    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        let origins = [port, peer, from].compactMap { $0 }
        guard origins.count == 1 else {
            throw ValidationError("where does it come from? One of --port, --peer and --from")
        }
        guard dst != nil || hex != nil else {
            throw ValidationError("what is traced? --dst, or a frame with --hex")
        }
    }

    func run() throws {
        let body = try JSON.encode(try request())
        let reply = try daemon.client.request("POST", "/v1/trace", body: body)
        let trace = try JSON.decode(TraceReply.self, from: reply.body)
        let text =
            daemon.json ? String(decoding: reply.body, as: UTF8.self) : TraceScreen.render(trace)
        print(text, terminator: "")
        if trace.verdict.result == .dropped { throw ExitCode(3) }
    }

    private func request() throws -> TraceRequest {
        var request = TraceRequest()
        request.port = port
        request.peer = peer
        request.from = from
        request.network = network
        request.vni = vni
        request.dst = dst
        request.src = src
        request.proto = proto
        request.dport = dport
        request.length = length
        request.vlan = vlan
        request.segment = segment
        request.hex = hex == "-" ? Self.standardInput() : hex
        return request
    }

    private static func standardInput() -> String {
        var text = ""
        while let line = readLine(strippingNewline: false) { text += line }
        return text
    }
}
