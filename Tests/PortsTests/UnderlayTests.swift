import CLiburing
import Glibc
import Ports
import Testing
import Wire

@Suite("Underlay sockets", .enabled(if: isRoot))
struct UnderlayTests {
    @Test(
        "A train goes from a transmitter to a receiver with its TOS",
        arguments: [
            "127.0.0.1", "::1",
        ])
    func train(text: String) throws {
        let space = try TestNamespace()
        let address = try #require(IPAddress(text))
        let (receivers, transmitter) = try NetworkNamespace.run(in: space.namespace) {
            () throws(SystemError) in
            (
                try UnderlayReceiver.open(address, port: 4789, count: 2),
                try UnderlayTransmitter(address, count: 8)
            )
        }
        #expect(receivers.count == 2)
        #expect(receivers.allSatisfy { $0.hasReceiveOffload && $0.bufferSize >= 32 << 20 })
        #expect(transmitter.hasSegmentation)
        #expect(Set(transmitter.ports).count == 8)
        #expect(transmitter.ports.allSatisfy(UnderlayTransmitter.portRange.contains))

        let control = UnsafeMutableRawPointer.allocate(
            byteCount: TransmitControl.length, alignment: 8)
        defer { control.deallocate() }
        TransmitControl.prepare(at: control, isIPv6: address.isIPv6)
        TransmitControl.setSegmentSize(100, at: control)
        TransmitControl.setTrafficClass(0xb9, at: control)
        for (socket, port) in zip(transmitter.sockets, transmitter.ports) {
            let sent = Self.send(
                [UInt8](repeating: 7, count: 350), through: socket,
                to: SocketAddress(address, port: 4789), control, TransmitControl.length)
            #expect(sent == 350)
            let received = try #require(Self.receive(receivers))
            #expect(received.count == 350)
            #expect(received.source == SocketAddress(address, port: port))
            #expect(received.control.segmentSize == 100)
            #expect(received.control.trafficClass == 0xb9)
        }

        // One datagram: the second half of the same buffer.
        TransmitControl.setTrafficClass(0x02, at: control)
        let sent = Self.send(
            [UInt8](repeating: 7, count: 350), through: transmitter.sockets[0],
            to: SocketAddress(address, port: 4789),
            control + TransmitControl.singleOffset, TransmitControl.singleLength)
        #expect(sent == 350)
        let received = try #require(Self.receive(receivers))
        #expect(received.control.segmentSize == 0 && received.control.trafficClass == 2)

        // What is sent to a transmitter is not queued there.
        let back = Self.send(
            [1], through: transmitter.sockets[1],
            to: SocketAddress(address, port: transmitter.ports[0]),
            control + TransmitControl.singleOffset, TransmitControl.singleLength)
        #expect(back == 1)
        #expect(!waitReadable(transmitter.sockets[0], milliseconds: 50))
    }

    @Test("What finds the buffer full is counted")
    func missed() throws {
        let space = try TestNamespace()
        let address = try #require(IPAddress("127.0.0.1"))
        let (receiver, transmitter) = try NetworkNamespace.run(in: space.namespace) {
            () throws(SystemError) in
            (
                try UnderlayReceiver.open(address, port: 4789, bufferSize: 4096)[0],
                try UnderlayTransmitter(address, count: 1)
            )
        }
        #expect(receiver.missedMessages == 0)
        let control = UnsafeMutableRawPointer.allocate(
            byteCount: TransmitControl.length, alignment: 8)
        defer { control.deallocate() }
        TransmitControl.prepare(at: control, isIPv6: false)
        var sent: UInt64 = 0
        for _ in 0..<100 {
            let bytes = Self.send(
                [UInt8](repeating: 7, count: 1000), through: transmitter.sockets[0],
                to: SocketAddress(address, port: 4789),
                control + TransmitControl.singleOffset, TransmitControl.singleLength)
            if bytes == 1000 { sent += 1 }
        }
        var arrived: UInt64 = 0
        while Self.receive([receiver]) != nil { arrived += 1 }
        #expect(arrived > 0)
        #expect(receiver.missedMessages > 0)
        #expect(receiver.missedMessages + arrived == sent)
    }

    @Test("A second daemon does not share the port")
    func portInUse() throws {
        let space = try TestNamespace()
        let address = try #require(IPAddress("127.0.0.1"))
        let first = try NetworkNamespace.run(in: space.namespace) { () throws(SystemError) in
            try UnderlayReceiver.open(address, port: 4789)
        }
        let error = #expect(throws: SystemError.self) {
            try NetworkNamespace.run(in: space.namespace) { () throws(SystemError) in
                try UnderlayReceiver.open(address, port: 4789)
            }
        }
        #expect(error?.errno == EADDRINUSE)
        #expect(error?.description.contains("another weftd") == true)
        #expect(first[0].local == SocketAddress(address, port: 4789))

        let elsewhere = try #require(IPAddress("192.0.2.77"))
        let foreign = #expect(throws: SystemError.self) {
            try NetworkNamespace.run(in: space.namespace) { () throws(SystemError) in
                try UnderlayTransmitter(elsewhere, count: 1)
            }
        }
        #expect(foreign?.errno == EADDRNOTAVAIL)
    }

    @Test("Path MTU and interface addresses")
    func routes() throws {
        let host = try TestNamespace()
        let other = try TestNamespace()
        try host.connect("u0", to: other, "u0")
        let link = try Link("u0", in: host.namespace)
        let address = try #require(IPAddress("10.9.2.1"))
        let peer = try #require(IPAddress("10.9.2.2"))
        let address6 = try #require(IPAddress("2001:db8:2::1"))
        let peer6 = try #require(IPAddress("2001:db8:2::2"))

        let none = #expect(throws: SystemError.self) { try Self.address(of: "u0", in: host) }
        #expect(none?.errno == EADDRNOTAVAIL)
        try link.addAddress(address6, prefixLength: 64, skipDuplicateDetection: true)
        #expect(try Self.address(of: "u0", in: host) == address6)
        try link.addAddress(address, prefixLength: 24)
        #expect(try Self.address(of: "u0", in: host) == address)

        for mtu in [1400, 1500] {
            try link.setMTU(mtu)
            try NetworkNamespace.run(in: host.namespace) { () throws(SystemError) in
                #expect(try UnderlaySocket.pathMTU(from: address, to: peer) == mtu)
                #expect(try UnderlaySocket.pathMTU(from: address6, to: peer6) == mtu)
            }
        }
        try host.inside("ip", "route", "add", "10.9.2.2/32", "dev", "u0", "mtu", "1300")
        try NetworkNamespace.run(in: host.namespace) { () throws(SystemError) in
            #expect(try UnderlaySocket.pathMTU(from: address, to: peer) == 1300)
        }
    }

    static func address(of name: String, in space: TestNamespace) throws -> IPAddress {
        try NetworkNamespace.run(in: space.namespace) { () throws(SystemError) in
            try UnderlaySocket.address(ofInterface: name)
        }
    }

    struct Datagram {
        let count: Int
        let source: SocketAddress?
        let control: ReceivedControl
    }

    static func receive(_ receivers: [UnderlayReceiver]) -> Datagram? {
        var entries = receivers.map {
            pollfd(fd: $0.fileDescriptor, events: Int16(POLLIN), revents: 0)
        }
        guard poll(&entries, nfds_t(entries.count), 2000) > 0,
            let ready = entries.first(where: { $0.revents != 0 })
        else { return nil }
        let name = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 8)
        let payload = UnsafeMutableRawPointer.allocate(byteCount: 65536, alignment: 8)
        let control = UnsafeMutableRawPointer.allocate(
            byteCount: ReceivedControl.capacity, alignment: 8)
        let vector = UnsafeMutablePointer<iovec>.allocate(capacity: 1)
        defer {
            name.deallocate()
            payload.deallocate()
            control.deallocate()
            vector.deallocate()
        }
        vector.initialize(to: iovec(iov_base: payload, iov_len: 65536))
        var message = msghdr()
        message.msg_name = name
        message.msg_namelen = 32
        message.msg_iov = vector
        message.msg_iovlen = 1
        message.msg_control = control
        message.msg_controllen = ReceivedControl.capacity
        let count = recvmsg(ready.fd, &message, 0)
        guard count >= 0 else { return nil }
        return Datagram(
            count: count, source: SocketAddress(at: name),
            control: ReceivedControl(at: control, length: Int(message.msg_controllen)))
    }

    static func send(
        _ payload: [UInt8], through socket: Int32, to peer: SocketAddress,
        _ control: UnsafeMutableRawPointer, _ controlLength: Int
    ) -> Int {
        let name = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 8)
        let vector = UnsafeMutablePointer<iovec>.allocate(capacity: 1)
        defer {
            name.deallocate()
            vector.deallocate()
        }
        var payload = payload
        return payload.withUnsafeMutableBytes { bytes in
            vector.initialize(to: iovec(iov_base: bytes.baseAddress, iov_len: bytes.count))
            var message = msghdr()
            message.msg_name = name
            message.msg_namelen = peer.store(at: name)
            message.msg_iov = vector
            message.msg_iovlen = 1
            message.msg_control = control
            message.msg_controllen = controlLength
            return sendmsg(socket, &message, 0)
        }
    }
}
