import Glibc
import Ports
import Testing
import Wire

@Suite("Control messages")
struct ControlMessageTests {
    /// Reads at the very end of mapped memory: one byte too far is a crash.
    @Test("Garbage leads nowhere outside the buffer")
    func garbage() throws {
        let page = 4096
        let mapped = mmap(
            nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        let memory = try #require(mapped)
        try #require(memory != MAP_FAILED)
        defer { munmap(memory, 2 * page) }
        try #require(mprotect(memory + page, page, PROT_NONE) == 0)

        var generator = SystemRandomNumberGenerator()
        let lengths: [UInt64] = [0, 1, 15, 16, 17, 20, 24, 36, 1 << 32, .max, .max - 7]
        let kinds: [(Int32, Int32)] = [(17, 104), (0, 1), (41, 67), (263, 8)]
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...96, using: &generator)
            let start = memory + page - length
            for i in 0..<length {
                start.storeBytes(of: .random(in: 0...255), toByteOffset: i, as: UInt8.self)
            }
            // Plausible headers, or nothing beyond the first would ever be looked at.
            var offset = 0
            while offset + 16 <= length {
                let (level, type) = kinds.randomElement(using: &generator) ?? (0, 0)
                let count = lengths.randomElement(using: &generator) ?? 0
                start.storeBytes(of: count, toByteOffset: offset, as: UInt64.self)
                start.storeBytes(of: level, toByteOffset: offset + 8, as: Int32.self)
                start.storeBytes(of: type, toByteOffset: offset + 12, as: Int32.self)
                offset += Bool.random(using: &generator) ? 24 : 40
            }
            let control = ReceivedControl(at: start, length: length)
            #expect((0...65535).contains(control.segmentSize))
            _ = VLANTag(control: start, length: length)
            var messages = ControlMessages(at: start, length: length)
            var count = 0
            while messages.next() != nil { count += 1 }
            #expect(count <= length / 16)
        }
    }

    @Test("Addresses survive the kernel's form", arguments: ["192.0.2.1", "2001:db8::17"])
    func socketAddresses(text: String) throws {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: SocketAddress.capacity, alignment: 4)
        defer { bytes.deallocate() }
        memset(bytes, 0xaa, SocketAddress.capacity)
        let address = SocketAddress(try #require(IPAddress(text)), port: 4789)
        #expect(address.store(at: bytes) == (address.address.isIPv6 ? 28 : 16))
        #expect(SocketAddress(at: bytes) == address)
        // In the order of the wire: 0x12b5 is 4789.
        #expect(bytes.load(fromByteOffset: 2, as: UInt8.self) == 0x12)
        #expect(bytes.load(fromByteOffset: 3, as: UInt8.self) == 0xb5)
        bytes.storeBytes(of: 1, as: UInt16.self)
        #expect(SocketAddress(at: bytes) == nil)
    }
}
