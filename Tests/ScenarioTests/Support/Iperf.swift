import FoundationEssentials
import Lab
import Testing

/// The part of iperf3's report that scenarios look at.
struct IperfReport: Decodable {
    private struct End: Decodable {
        struct Sum: Decodable {
            var bytes: Double
            var retransmits: Int?
            var lostPercent: Double?
            var packets: Int?
            var lostPackets: Int?
            var seconds: Double?
        }
        var sum: Sum?
        var sumSent: Sum?
        var sumReceived: Sum?
    }
    private var end: End

    /// Bytes of payload that arrived, or were sent over UDP.
    var bytes: Int { Int((end.sumReceived ?? end.sum)?.bytes ?? 0) }
    /// Segments that the sender sent again.
    var retransmits: Int { end.sumSent?.retransmits ?? 0 }
    /// How long the sender has sent.
    var seconds: Double { (end.sumSent ?? end.sum)?.seconds ?? 0 }
    /// Bytes of payload that arrived over UDP.
    var received: Double {
        guard let sum = end.sum, let all = sum.packets, all > 0 else { return 0 }
        return sum.bytes * Double(all - (sum.lostPackets ?? 0)) / Double(all)
    }
    /// Datagrams that did not arrive, in percent.
    var lostPercent: Double { end.sum?.lostPercent ?? 0 }
}

extension VM {
    /// Runs iperf3 against a server in another VM, once.
    func iperf(to server: VM, _ arguments: [String], port: Int = 5201) throws -> IperfReport {
        let process = try server.spawn(["iperf3", "-s", "-1", "-p", "\(port)"], name: "iperf3")
        defer { process.stop() }
        #expect(try eventually { try server.namespace.isListening(onTCP: UInt16(port)) })
        let address = "\(server.addresses[0].address)"
        let text = try Command(["iperf3", "-c", address, "-p", "\(port)", "--json"] + arguments)
            .inside(namespace).check()
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(IperfReport.self, from: Data(text.utf8))
    }
}
