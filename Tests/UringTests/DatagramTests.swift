import CLiburing
import CLinux
import Glibc
import Testing
import Uring

@Suite(
    "Datagrams through a ring",
    .enabled(if: KernelFeatures.probe().receiveMultishot && KernelFeatures.probe().udpSegment))
struct DatagramTests {
    static let nameCapacity = 32
    static let controlCapacity = 64

    /// A `msghdr` that says how much room each buffer keeps.
    static func template() -> UnsafeMutablePointer<msghdr> {
        let message = UnsafeMutablePointer<msghdr>.allocate(capacity: 1)
        message.initialize(to: msghdr())
        message.pointee.msg_namelen = socklen_t(nameCapacity)
        message.pointee.msg_controllen = controlCapacity
        return message
    }

    static func open(
        _ completion: Completion, in buffers: borrowing BufferRing
    ) throws -> ReceivedMessage {
        try #require(completion.hasBuffer)
        return try #require(
            ReceivedMessage(
                buffer: buffers.address(of: completion.bufferID), result: completion.result,
                nameCapacity: nameCapacity, controlCapacity: controlCapacity))
    }

    @Test("A train sent with UDP_SEGMENT arrives as one message under UDP_GRO")
    func train() throws {
        let ring = try Ring(entries: 16, completionEntries: 128)
        let buffers = try BufferRing(ring: ring, group: 3, count: 8, stride: 65536 + 512 + 64)
        let receiver = try Descriptor.loopback()
        try receiver.setOption(Int32(SOL_UDP), UDP_GRO, 1)
        let sender = try Descriptor.loopback()
        let template = Self.template()
        defer { template.deallocate() }
        let message = Message(to: try receiver.address(), length: 10 * 1000 + 300, segment: 1000)

        #expect(
            ring.receiveMultishot(
                socket: receiver.number, message: template, group: 3, userData: 1) == true)
        let queued = ring.sendMessage(
            socket: sender.number, message: message.header, userData: 2)
        #expect(queued)
        let completions = RingTests.take(2, from: ring)
        let sent = try #require(completions.first { $0.userData == 2 })
        #expect(sent.result == 10300 && !sent.hasBuffer)
        let received = try #require(completions.first { $0.userData == 1 })
        #expect(received.more)

        let opened = try Self.open(received, in: buffers)
        #expect(opened.payloadLength == 10300)
        #expect(opened.flags & UInt32(MSG_TRUNC) == 0)
        #expect(memcmp(opened.payload, message.payload, 10300) == 0)
        #expect(
            opened.name.load(as: sockaddr_in.self).sin_port == (try sender.address()).sin_port)
        #expect(opened.controlLength >= 20)
        let item = opened.control.load(as: cmsghdr.self)
        #expect(item.cmsg_level == Int32(SOL_UDP) && item.cmsg_type == UDP_GRO)
        #expect((opened.control + 16).load(as: Int32.self) == 1000)
    }

    @Test("Without buffers the request ends with ENOBUFS, and goes on when prepared again")
    func exhaustion() throws {
        let ring = try Ring(entries: 16, completionEntries: 128)
        var buffers = try BufferRing(ring: ring, group: 3, count: 2, stride: 2112)
        let receiver = try Descriptor.loopback()
        let sender = try Descriptor.loopback()
        let template = Self.template()
        defer { template.deallocate() }
        let peer = try receiver.address()
        for i in 0..<UInt8(4) { try sender.send([i, i, i], to: peer) }

        func arm() {
            #expect(
                ring.receiveMultishot(
                    socket: receiver.number, message: template, group: 3, userData: 1) == true)
        }
        arm()
        let first = RingTests.take(3, from: ring)
        try #require(first.count == 3)
        #expect(first[0].more && first[1].more)
        #expect(first[2].result == -ENOBUFS && !first[2].more && !first[2].hasBuffer)
        for (i, completion) in first.prefix(2).enumerated() {
            let message = try Self.open(completion, in: buffers)
            #expect(message.payloadLength == 3)
            #expect(message.payload.load(as: UInt8.self) == UInt8(i))
            buffers.recycle(completion.bufferID)
        }
        buffers.publish()
        arm()
        let second = RingTests.take(2, from: ring)
        try #require(second.count == 2)
        for (i, completion) in second.enumerated() {
            let message = try Self.open(completion, in: buffers)
            #expect(message.payload.load(as: UInt8.self) == UInt8(i + 2))
        }
    }

    @Test("Every buffer comes round many times with its own bytes")
    func recycling() throws {
        let ring = try Ring(entries: 16, completionEntries: 128)
        var buffers = try BufferRing(
            ring: ring, group: 9, count: 4, stride: 2112, hugePages: false)
        let receiver = try Descriptor.loopback()
        let sender = try Descriptor.loopback()
        let template = Self.template()
        defer { template.deallocate() }
        let peer = try receiver.address()
        #expect(
            ring.receiveMultishot(
                socket: receiver.number, message: template, group: 9, userData: 1) == true)
        #expect(ring.submit() == 1)
        var used: Set<UInt16> = []
        for round in 0..<200 {
            try sender.send([UInt8(round)], to: peer)
            let completion = try #require(RingTests.take(1, from: ring).first)
            try #require(completion.more)
            let message = try Self.open(completion, in: buffers)
            #expect(message.payload.load(as: UInt8.self) == UInt8(round))
            used.insert(completion.bufferID)
            buffers.recycle(completion.bufferID)
            buffers.publish()
        }
        #expect(used == [0, 1, 2, 3])
    }

    @Test("One message is received where its header says")
    func oneShot() throws {
        let ring = try Ring(entries: 16, completionEntries: 128)
        let buffers = try BufferRing(ring: ring, group: 4, count: 2, stride: 2112)
        let receiver = try Descriptor.loopback()
        let sender = try Descriptor.loopback()
        let message = Message(to: sockaddr_in(), length: 100)
        message.vector.pointee = iovec(iov_base: nil, iov_len: 2112)
        #expect(
            ring.receive(
                socket: receiver.number, message: message.header, group: 4, userData: 1) == true)
        #expect(ring.submit() == 1)
        try sender.send([1, 2, 3, 4], to: try receiver.address())
        let completion = try #require(RingTests.take(1, from: ring).first)
        #expect(completion.result == 4 && completion.hasBuffer && !completion.more)
        #expect(buffers.address(of: completion.bufferID).load(as: UInt8.self) == 1)
        #expect(message.name.pointee.sin_port == (try sender.address()).sin_port)
    }

    @Test("A datagram longer than its buffer is marked, and its length stays within it")
    func truncation() throws {
        let ring = try Ring(entries: 16, completionEntries: 128)
        let buffers = try BufferRing(
            ring: ring, group: 4, count: 2, stride: 256, bufferLength: 208)
        let receiver = try Descriptor.loopback()
        let sender = try Descriptor.loopback()
        let template = Self.template()
        defer { template.deallocate() }
        try sender.send([UInt8](repeating: 5, count: 500), to: try receiver.address())
        #expect(
            ring.receiveMultishot(
                socket: receiver.number, message: template, group: 4, userData: 1) == true)
        let completion = try #require(RingTests.take(1, from: ring).first)
        let message = try Self.open(completion, in: buffers)
        #expect(message.flags & UInt32(MSG_TRUNC) != 0)
        #expect(message.payloadLength == 96)
    }

    @Test("A full socket refuses at once")
    func fullSocket() throws {
        let ring = try Ring(entries: 64, completionEntries: 512)
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &ends) == 0)
        let sender = try Descriptor(ends[0])
        let receiver = try Descriptor(ends[1])
        let message = Message(to: sockaddr_in(), length: 1000)
        message.header.pointee.msg_name = nil
        message.header.pointee.msg_namelen = 0
        for i in 0..<UInt64(400) {
            let queued = ring.sendMessage(
                socket: sender.number, message: message.header, userData: i)
            try #require(queued)
        }
        let completions = RingTests.take(400, from: ring)
        #expect(completions.count == 400)
        #expect(completions.last?.result == -EAGAIN)
        _ = receiver.number
    }

    @Test("A result too short for the fixed part opens nothing")
    func shortResult() {
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 8)
        defer { buffer.deallocate() }
        memset(buffer, 0xff, 256)
        for result in [Int32(-105), 0, 111] {
            #expect(
                ReceivedMessage(
                    buffer: buffer, result: result, nameCapacity: 32, controlCapacity: 64) == nil)
        }
        let message = ReceivedMessage(
            buffer: buffer, result: 112, nameCapacity: 32, controlCapacity: 64)
        #expect(message?.payloadLength == 0)
        #expect(message?.controlLength == 64)
    }
}
