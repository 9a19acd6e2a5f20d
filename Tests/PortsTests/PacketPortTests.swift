import CLiburing
import CLinux
import Glibc
import Ports
import Testing
import Wire

@Suite("Packet port", .enabled(if: isRoot))
struct PacketPortTests {
    /// A host with `a0`, which has an address, and a VM with `b0` on its other side.
    struct Pair {
        let host: TestNamespace
        let guest: TestNamespace

        init() throws {
            host = try TestNamespace()
            guest = try TestNamespace()
            try host.connect("a0", to: guest, "b0")
            try Link("a0", in: host.namespace).addAddress(
                #require(IPAddress("10.9.1.1")), prefixLength: 24)
            try Link("b0", in: guest.namespace).addAddress(
                #require(IPAddress("10.9.1.2")), prefixLength: 24)
        }

        /// Whether one of a few pings is answered. After a time of silence the first may not be:
        /// it waits for an address that is being given up, and ends with it.
        func guestReachesHost(tries: Int = 5) -> Bool {
            (0..<tries).contains { _ in
                guest.succeeds("ping", "-c", "1", "-W", "1", "10.9.1.1")
            }
        }

        func filters() throws -> String {
            try host.inside("tc", "filter", "show", "dev", "a0", "ingress")
        }
    }

    @Test("Takes the frames away from the host's stack while attached")
    func ingressDrop() throws {
        let pair = try Pair()
        #expect(pair.guestReachesHost())
        do {
            let port = try PacketPort("a0", in: pair.host.namespace)
            #expect(try pair.filters().contains("weft_drop"))
            try pair.guest.inside("ip", "neigh", "flush", "dev", "b0")
            #expect(!pair.guestReachesHost(tries: 2))
            var types: Set<UInt16> = []
            while let frame = Self.receive(port.sockets[0]) { types.insert(frame.etherType) }
            #expect(types.contains(0x0806), "ARP requests for the host arrive here: \(types)")
        }
        #expect(try !pair.filters().contains("weft_drop"))
        #expect(pair.guestReachesHost())
    }

    @Test("Attaching replaces what a killed process left")
    func leftover() throws {
        let pair = try Pair()
        // Never released: to the kernel the same as a process that could not clean up.
        let killed = Unmanaged.passRetained(try PacketPort("a0", in: pair.host.namespace))
        #expect(try pair.filters().contains("weft_drop"))
        do {
            let port = try PacketPort("a0", in: pair.host.namespace)
            #expect(port.sockets.count == 1)
            let lines = try pair.filters().split(separator: "\n")
            #expect(lines.filter { $0.contains("weft_drop") }.count == 1)
            #expect(!pair.guestReachesHost(tries: 2))
        }
        #expect(try !pair.filters().contains("weft_drop"))
        #expect(pair.guestReachesHost())
        killed.release()
    }

    @Test("Carries frames with their header both ways, and tells the VLAN tag")
    func frames() throws {
        let pair = try Pair()
        let near = try PacketPort("a0", in: pair.host.namespace)
        let far = try PacketPort("b0", in: pair.guest.namespace)
        let body: [UInt8] = [UInt8](repeating: 0xee, count: 60)
        let addresses: [UInt8] = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8]

        try Self.send(addresses + [0x88, 0xb5] + body, through: near.sockets[0])
        let plain = try #require(Self.receive(far.sockets[0], etherType: 0x88b5))
        #expect(plain.count == PacketPort.virtioHeaderLength + 74)
        #expect(plain.tag == nil)

        try Self.send(
            addresses + [0x81, 0x00, 0x60, 0x2a, 0x88, 0xb6] + body, through: far.sockets[0])
        let tagged = try #require(Self.receive(near.sockets[0], etherType: 0x88b6))
        #expect(tagged.tag?.identifier == 42)
        #expect(tagged.tag?.protocolID == 0x8100)
        #expect(tagged.count == PacketPort.virtioHeaderLength + 74)
    }

    @Test("Several sockets share the frames, each frame to one of them")
    func fanout() throws {
        let pair = try Pair()
        let near = try PacketPort("a0", sockets: 2, in: pair.host.namespace)
        let far = try PacketPort("b0", in: pair.guest.namespace)
        #expect(near.sockets.count == 2)
        let start: [UInt8] = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5]
        for i in 0..<UInt8(20) {
            try Self.send(start + [UInt8](repeating: i, count: 60), through: far.sockets[0])
        }
        let counts = near.sockets.map { socket in
            var count = 0
            while let frame = Self.receive(socket, milliseconds: 200) {
                if frame.etherType == 0x88b5 { count += 1 }
            }
            return count
        }
        #expect(counts.reduce(0, +) == 20)
    }

    @Test("A superframe crosses whole, with the header that says how to cut it")
    func superframe() throws {
        let pair = try Pair()
        let near = try PacketPort("a0", in: pair.host.namespace)
        let far = try PacketPort("b0", in: pair.guest.namespace)
        // virtio_net_hdr: NEEDS_CSUM, TCPv4, header 54, segments of 1000, sum from 34 at 16.
        let header: [UInt8] = [1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0]
        let length = 20 + 20 + 30_000
        let ip: [UInt8] =
            [0x45, 0, UInt8(length >> 8), UInt8(length & 0xff), 0, 1, 0x40, 0, 64, 6, 0, 0]
            + [10, 9, 1, 2, 10, 9, 1, 1]
        let tcp: [UInt8] = [0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]
        let frame =
            [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x08, 0x00] + ip + tcp
            + [UInt8](repeating: 0x55, count: 30_000)
        try Self.send(frame, header: header, through: far.sockets[0])
        let received = try #require(Self.receive(near.sockets[0], etherType: 0x0800))
        #expect(received.count == PacketPort.virtioHeaderLength + frame.count)
        #expect(Array(received.header.prefix(2)) == [1, 1])
        #expect(Array(received.header[4..<6]) == [0xe8, 3])
    }

    @Test("An interface that is not there is named")
    func missing() throws {
        let space = try TestNamespace()
        let error = #expect(throws: SystemError.self) {
            try PacketPort("none0", in: space.namespace)
        }
        #expect(error?.errno == ENODEV)
        #expect(error?.description.contains("none0") == true)
    }

    struct Frame {
        let count: Int
        let etherType: UInt16
        let tag: VLANTag?
        let header: [UInt8]
    }

    /// The next frame of `etherType`.
    static func receive(_ socket: Int32, etherType: UInt16) -> Frame? {
        while let frame = receive(socket) {
            if frame.etherType == etherType { return frame }
        }
        return nil
    }

    static func receive(_ socket: Int32, milliseconds: Int32 = 300) -> Frame? {
        guard waitReadable(socket, milliseconds: milliseconds) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 70000)
        var control = [UInt8](repeating: 0, count: VLANTag.controlCapacity)
        return bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &vector) { vector -> Frame? in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    let count = recvmsg(socket, &message, 0)
                    guard count >= 24, let start = control.baseAddress else { return nil }
                    return Frame(
                        count: count,
                        etherType: UInt16(bytes[22]) << 8 | UInt16(bytes[23]),
                        tag: VLANTag(control: start, length: Int(message.msg_controllen)),
                        header: Array(bytes.prefix(PacketPort.virtioHeaderLength)))
                }
            }
        }
    }

    static func send(
        _ frame: [UInt8],
        header: [UInt8] = [UInt8](repeating: 0, count: PacketPort.virtioHeaderLength),
        through socket: Int32
    ) throws {
        let bytes = header + frame
        try #require(Glibc.send(socket, bytes, bytes.count, 0) == bytes.count)
    }
}
