import ControlAPI
import TestFrames
import Testing
import Wire

@testable import Datapath

/// Frames that traces make up, beside those of the tests' own builder.
@Suite("Made up frames")
struct MadeUpFrameTests {
    private let builders = [FrameBuilder.ipv4, FrameBuilder.ipv6]

    private func made(_ builder: FrameBuilder, _ proto: TraceRequest.Proto) -> MadeUpFrame {
        MadeUpFrame(
            source: builder.sourceMAC, destination: builder.destinationMAC,
            sourceIP: builder.source, destinationIP: builder.destination, proto: proto)
    }

    @Test func echoRequests() {
        let payload = [UInt8](repeating: 0, count: 56)
        #expect(made(.ipv4, .icmp).bytes == FrameBuilder.ipv4.icmpEcho(payload: payload))
        #expect(made(.ipv4, .icmp).bytes.count == 98, "as ping has it")
        let body = be16(1) + be16(1) + payload
        #expect(made(.ipv6, .icmp).bytes == FrameBuilder.ipv6.icmpv6(type: 128, body: body))
    }

    @Test func transports() {
        for var builder in builders {
            builder.destinationPort = 443
            var frame = made(builder, .tcp)
            frame.destinationPort = 443
            let syn = builder.tcp(acknowledgment: 0, flags: 0x02, window: 0xffff)
            #expect(frame.bytes == syn)
            frame.length = 1400
            let payload = [UInt8](repeating: 0, count: 1400 - syn.count)
            #expect(
                frame.bytes
                    == builder.tcp(
                        acknowledgment: 0, flags: 0x10, window: 0xffff, payload: payload))
            frame = made(builder, .udp)
            frame.destinationPort = 443
            #expect(frame.bytes == builder.udp())
            frame.length = 111
            let rest = 111 - builder.udp().count
            #expect(frame.bytes == builder.udp(payload: [UInt8](repeating: 0, count: rest)))
        }
    }

    @Test func questions() {
        var builder = FrameBuilder.ipv4
        builder.destinationMAC = .broadcast
        let target = IPv4Address(bits: 0x0a00_0002)
        let arp = builder.arp(
            operation: 1, senderMAC: builder.sourceMAC,
            senderIP: IPv4Address(bits: 0x0a00_0001), targetMAC: .zero, targetIP: target)
        var frame = made(builder, .arp)
        #expect(frame.bytes == arp)
        #expect(MACAddress(ofQuestionFor: .v4(target)) == .broadcast)
        frame.length = 60
        #expect(frame.bytes == arp + [UInt8](repeating: 0, count: 60 - arp.count))

        let asked = IPv6Address(high: 0xfd00 << 48, low: 0x1234_5678)
        builder = .ipv6
        builder.destinationMAC = MACAddress(bits: 0x3333_ff34_5678)
        #expect(MACAddress(ofQuestionFor: .v6(asked)) == builder.destinationMAC)
        builder.ttl = 255
        frame = made(builder, .arp)
        frame.destinationIP = .v6(asked)
        builder.destination = .v6(IPv6Address(high: 0xff02 << 48, low: 0x1_ff34_5678))
        #expect(
            frame.bytes
                == builder.neighborSolicitation(
                    target: asked, sourceLinkLayer: builder.sourceMAC))
    }

    @Test func tags() {
        for proto in TraceRequest.Proto.allCases {
            var frame = made(.ipv4, proto)
            let plain = frame.bytes
            frame.vlan = 7
            #expect(frame.bytes == plain[..<12] + hex("8100 0007") + plain[12...])
        }
    }

    @Test("lengths from headers alone to the largest packet")
    func lengths() {
        for builder in builders {
            for proto in TraceRequest.Proto.allCases {
                var frame = made(builder, proto)
                for length in [frame.lengths.lowerBound, frame.lengths.upperBound] {
                    frame.length = length
                    #expect(frame.bytes.count == length)
                }
            }
        }
        var tagged = made(.ipv6, .udp)
        tagged.vlan = 1
        #expect(MadeUpFrame.anyLengths.upperBound == tagged.lengths.upperBound)
        #expect(MadeUpFrame.anyLengths.lowerBound == made(.ipv4, .arp).lengths.lowerBound)
        #expect(made(.ipv4, .udp).lengths == 42...65549)
        #expect(made(.ipv6, .tcp).lengths == 74...65589)
    }

    @Test func groups() throws {
        let groups = [
            ("255.255.255.255", "ff:ff:ff:ff:ff:ff"), ("224.0.0.251", "01:00:5e:00:00:fb"),
            ("239.129.2.3", "01:00:5e:01:02:03"), ("ff02::1", "33:33:00:00:00:01"),
        ]
        for (ip, mac) in groups {
            #expect(MACAddress(groupOf: try #require(IPAddress(ip))) == MACAddress(mac))
        }
        for ip in ["10.0.0.1", "223.255.255.255", "240.0.0.1", "fe80::1"] {
            #expect(MACAddress(groupOf: try #require(IPAddress(ip))) == nil)
        }
    }
}
