import CLiburing
import Glibc
import Ports
import Testing
import Uring
import Wire

@Suite("TAP", .enabled(if: isRoot))
struct TapTests {
    @Test("Creates the interface as told, and it goes with its owner")
    func create() throws {
        let space = try TestNamespace()
        var options = Tap.Options(name: "tap0", queues: 2, namespace: space.namespace)
        options.mtu = 1450
        options.mac = MACAddress("02:00:00:00:00:07")
        do {
            let tap = try Tap(options)
            #expect(tap.queues.count == 2 && !tap.tookOver)
            #expect(tap.offloads.isSuperset(of: [.checksum, .tso4, .tso6]))
            let state = try tap.link.state()
            #expect(state.mtu == 1450 && state.isUp && state.isRunning)
            #expect(state.mac == options.mac)
            #expect(state.transmitQueueLength == 20480)
            let tun = try #require(state.tun)
            #expect(tun.isTap && tun.isMultiQueue && !tun.isPersistent)
            #expect(try !Link.exists("tap0"))
        }
        let gone = try eventually { try !Link.exists("tap0", in: space.namespace) }
        #expect(gone)
    }

    @Test("Takes over a persistent interface, with the flag that it was made with")
    func takeOver() throws {
        let space = try TestNamespace()
        var options = Tap.Options(name: "tap0", namespace: space.namespace)
        options.persistent = true
        options.owner = "nobody"
        options.group = "0"
        do { _ = try Tap(options) }
        let taken = try eventually {
            do {
                let again = try Tap(Tap.Options(name: "tap0", namespace: space.namespace))
                #expect(again.tookOver)
                #expect(try again.link.state().tun?.isPersistent == true)
                return true
            } catch let error as SystemError where error.errno == EBUSY {
                return false
            }
        }
        #expect(taken)
        try space.inside("ip", "tuntap", "add", "tap1", "mode", "tap", "multi_queue")
        let multi = try Tap(Tap.Options(name: "tap1", namespace: space.namespace))
        #expect(multi.tookOver && multi.queues.count == 1)
        try multi.setPersistent(false)

        let more = try Tap(Tap.Options(name: "tap0", queues: 2, namespace: space.namespace))
        #expect(more.tookOver && more.queues.count == 2)
        try more.setPersistent(false)

        try space.inside("ip", "tuntap", "add", "tap2", "mode", "tap")
        let refused = #expect(throws: SystemError.self) {
            try Tap(Tap.Options(name: "tap2", queues: 2, namespace: space.namespace))
        }
        #expect(refused?.description.contains("ip link delete tap2") == true)
    }

    @Test("Says who stands in the way")
    func refusals() throws {
        let space = try TestNamespace()
        let options = Tap.Options(name: "tap0", namespace: space.namespace)
        let holder = try Tap(options)
        let busy = #expect(throws: SystemError.self) { try Tap(options) }
        #expect(busy?.errno == EBUSY)
        #expect(busy?.description.contains("another process holds") == true)
        #expect(holder.queues.count == 1)

        try space.inside("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        let kind = #expect(throws: SystemError.self) {
            try Tap(Tap.Options(name: "v0", namespace: space.namespace))
        }
        #expect(kind?.description.contains("veth") == true)
        #expect(throws: SystemError.self) {
            try Tap(Tap.Options(name: "a-name-that-is-too-long", namespace: space.namespace))
        }
        var nobody = Tap.Options(name: "tap1", namespace: space.namespace)
        nobody.owner = "no-such-user"
        let owner = #expect(throws: SystemError.self) { try Tap(nobody) }
        #expect(owner?.description.contains("no such user") == true)
        let nowhere = #expect(throws: SystemError.self) {
            try Tap(Tap.Options(name: "tap2", namespace: NetworkNamespace("weft-none")))
        }
        #expect(nowhere?.errno == ENOENT)
    }

    @Test(
        "A ring reads and writes its frames",
        .enabled(if: KernelFeatures.probe().readMultishot))
    func ringIO() throws {
        let space = try TestNamespace()
        let tap = try Tap(Tap.Options(name: "tap0", namespace: space.namespace))
        let host = try #require(IPAddress("10.9.0.1"))
        try tap.link.addAddress(host, prefixLength: 24)
        let mac = try #require(try tap.link.state().mac)

        let ring = try Ring(entries: 16, completionEntries: 128)
        let buffers = try BufferRing(ring: ring, group: 1, count: 64, stride: 2112)
        let armed = ring.readMultishot(file: tap.queues[0], group: 1, userData: 1)
        #expect(armed)

        // Who has 10.9.0.1? Tell 10.9.0.2.
        let ours = try #require(MACAddress("02:00:00:00:00:02"))
        let frame = Self.arpRequest(from: ours, sender: [10, 9, 0, 2], target: [10, 9, 0, 1])
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 64)
        defer { bytes.deallocate() }
        memset(bytes, 0, 256)
        bytes.advanced(by: 64).copyMemory(from: frame, byteCount: frame.count)
        let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: 2)
        defer { vectors.deallocate() }
        vectors[0] = iovec(iov_base: bytes, iov_len: Tap.virtioHeaderLength)
        vectors[1] = iovec(iov_base: bytes + 64, iov_len: frame.count)
        let queued = ring.writeVector(
            file: tap.queues[0], vectors: vectors, count: 2, userData: 2)
        #expect(queued)

        var written: Int32 = 0
        var replied = false
        while !replied {
            let result = ring.submitAndWait(minimum: 1, timeoutNanoseconds: 2_000_000_000)
            if result == -ETIME { break }
            while ring.readyCount > 0 {
                let completion = ring.completion(at: 0)
                ring.advance(1)
                if completion.userData == 2 { written = completion.result }
                guard completion.userData == 1, completion.hasBuffer else { continue }
                #expect(completion.more)
                let start = buffers.address(of: completion.bufferID) + Tap.virtioHeaderLength
                // Among the host's own first frames (IPv6 neighbour discovery) is the ARP reply.
                guard start.load(fromByteOffset: 12, as: UInt16.self).bigEndian == 0x0806 else {
                    continue
                }
                replied = true
                #expect(MACAddress(at: start) == ours)
                #expect(MACAddress(at: start + 6) == mac)
                #expect(start.load(fromByteOffset: 20, as: UInt16.self).bigEndian == 2)
            }
        }
        #expect(written == Int32(Tap.virtioHeaderLength + frame.count))
        #expect(replied)
    }

    /// An Ethernet frame with an ARP request (RFC 826).
    static func arpRequest(from mac: MACAddress, sender: [UInt8], target: [UInt8]) -> [UInt8] {
        let source = (0..<6).map(mac.octet)
        let broadcast = [UInt8](repeating: 0xff, count: 6)
        let unknown = [UInt8](repeating: 0, count: 6)
        return broadcast + source + [0x08, 0x06]
            + [0, 1, 0x08, 0, 6, 4, 0, 1] + source + sender + unknown + target
    }
}
