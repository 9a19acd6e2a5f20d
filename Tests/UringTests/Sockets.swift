import CLiburing
import CLinux
import Glibc
import Testing

/// A UDP socket on loopback, or any other descriptor, closed when the test ends.
struct Descriptor: ~Copyable {
    let number: Int32

    init(_ number: Int32) throws {
        try #require(number >= 0, "\(String(cString: strerror(errno)))")
        self.number = number
    }

    deinit { close(number) }

    /// A socket bound to 127.0.0.1 on a port of the kernel's choice.
    static func loopback() throws -> Descriptor {
        let descriptor = try Descriptor(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(bound == 0)
        return descriptor
    }

    /// The address that it is bound to.
    func address() throws -> sockaddr_in {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let got = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(number, $0, &length)
            }
        }
        try #require(got == 0)
        return address
    }

    /// Sends `payload` to `peer` in the ordinary way.
    func send(_ payload: [UInt8], to peer: sockaddr_in) throws {
        var peer = peer
        let sent = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    number, payload, payload.count, 0, $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(sent == payload.count)
    }

    func setOption(_ level: Int32, _ name: Int32, _ value: Int32) throws {
        var value = value
        let result = setsockopt(
            number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        try #require(result == 0, "\(String(cString: strerror(errno)))")
    }
}

/// A `msghdr` with what it points to, at a fixed address for as long as it lives.
struct Message: ~Copyable {
    let header = UnsafeMutablePointer<msghdr>.allocate(capacity: 1)
    let name = UnsafeMutablePointer<sockaddr_in>.allocate(capacity: 1)
    let vector = UnsafeMutablePointer<iovec>.allocate(capacity: 1)
    let payload: UnsafeMutableRawPointer
    let control = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 8)

    /// A message of `length` bytes, the byte at `i` being `i` modulo 251.
    init(to peer: sockaddr_in, length: Int, segment: UInt16? = nil) {
        payload = .allocate(byteCount: length, alignment: 64)
        for i in 0..<length {
            payload.storeBytes(of: UInt8(i % 251), toByteOffset: i, as: UInt8.self)
        }
        name.initialize(to: peer)
        vector.initialize(to: iovec(iov_base: payload, iov_len: length))
        header.initialize(to: msghdr())
        header.pointee.msg_name = UnsafeMutableRawPointer(name)
        header.pointee.msg_namelen = socklen_t(MemoryLayout<sockaddr_in>.size)
        header.pointee.msg_iov = vector
        header.pointee.msg_iovlen = 1
        if let segment {
            var item = cmsghdr()
            item.cmsg_len = 18
            item.cmsg_level = Int32(SOL_UDP)
            item.cmsg_type = UDP_SEGMENT
            control.storeBytes(of: item, as: cmsghdr.self)
            control.storeBytes(of: segment, toByteOffset: 16, as: UInt16.self)
            header.pointee.msg_control = control
            header.pointee.msg_controllen = 24
        }
    }

    deinit {
        payload.deallocate()
        control.deallocate()
        vector.deallocate()
        name.deallocate()
        header.deallocate()
    }
}
