import CLiburing
import CLinux
import Glibc
import Testing
import Uring

@Suite("Reads through a ring", .enabled(if: KernelFeatures.probe().bufferRings))
struct ReadTests {
    @Test("One read takes a buffer")
    func oneShot() throws {
        let ring = try Ring(entries: 8, completionEntries: 64)
        let buffers = try BufferRing(ring: ring, group: 1, count: 2, stride: 192)
        let pipe = try Pipe()
        pipe.write([1, 2, 3])
        #expect(ring.read(file: pipe.reader, group: 1, length: 192, userData: 1) == true)
        let completion = try #require(RingTests.take(1, from: ring).first)
        #expect(completion.result == 3 && completion.hasBuffer)
        #expect(buffers.address(of: completion.bufferID).load(as: UInt8.self) == 1)
    }

    @Test("A multishot read goes on", .enabled(if: KernelFeatures.probe().readMultishot))
    func multishot() throws {
        let ring = try Ring(entries: 8, completionEntries: 64)
        var buffers = try BufferRing(ring: ring, group: 1, count: 2, stride: 192)
        let pipe = try Pipe()
        #expect(ring.readMultishot(file: pipe.reader, group: 1, userData: 1) == true)
        for i in 0..<UInt8(10) {
            pipe.write([i])
            let completion = try #require(RingTests.take(1, from: ring).first)
            try #require(completion.result == 1 && completion.more)
            #expect(buffers.address(of: completion.bufferID).load(as: UInt8.self) == i)
            buffers.recycle(completion.bufferID)
            buffers.publish()
        }
    }

    @Test("An eventfd wakes the ring", .enabled(if: KernelFeatures.probe().readMultishot))
    func eventDescriptor() throws {
        let ring = try Ring(entries: 8, completionEntries: 64)
        let buffers = try BufferRing(ring: ring, group: 1, count: 2, stride: 64)
        let event = try Descriptor(eventfd(0, Int32(EFD_NONBLOCK)))
        #expect(ring.readMultishot(file: event.number, group: 1, userData: 1) == true)
        #expect(ring.submit() == 1)
        #expect(eventfd_write(event.number, 3) == 0)
        let completion = try #require(RingTests.take(1, from: ring).first)
        #expect(completion.result == 8 && completion.more)
        #expect(buffers.address(of: completion.bufferID).load(as: UInt64.self) == 3)
    }

    @Test("This kernel's features agree with each other")
    func features() {
        let features = KernelFeatures.probe()
        #expect(features.uring == (features.uringError == nil))
        if !features.uring { #expect(!features.sendMessage && !features.bufferRings) }
        if features.receiveMultishot { #expect(features.bufferRings && features.receiveMessage) }
    }
}
