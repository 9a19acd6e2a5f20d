import Glibc
public import Wire

/// An IP address and a UDP port, as the kernel's `sockaddr_in` and `sockaddr_in6` hold them.
@frozen
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address.
    public var address: IPAddress
    /// The UDP port, in the host's order.
    public var port: UInt16

    /// Bytes that hold either family.
    @inlinable
    public static var capacity: Int {
        @inline(__always) get { 28 }
    }

    /// An address and a port.
    @inlinable @inline(__always)
    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads a `sockaddr` of `capacity` readable bytes, 4-byte aligned.
    /// - Returns: `nil` for any family but AF_INET and AF_INET6.
    @inlinable @inline(__always)
    public init?(at bytes: UnsafeRawPointer) {
        switch bytes.load(as: UInt16.self) {
        case 2:  // AF_INET: family, port, address
            address = .v4(
                IPv4Address(bits: UInt32(bigEndian: bytes.load(fromByteOffset: 4, as: UInt32.self)))
            )
        case 10:  // AF_INET6: family, port, flow, address, scope
            address = .v6(IPv6Address(at: bytes + 8))
        default:
            return nil
        }
        port = UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
    }

    /// Writes a `sockaddr` to `capacity` writable bytes, 4-byte aligned.
    /// - Returns: its length, for `msg_namelen`.
    @inlinable @inline(__always)
    @discardableResult
    public func store(at bytes: UnsafeMutableRawPointer) -> UInt32 {
        bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
        switch address {
        case .v4(let address):
            bytes.storeBytes(of: 2, as: UInt16.self)
            bytes.storeBytes(of: address.bits.bigEndian, toByteOffset: 4, as: UInt32.self)
            (bytes + 8).storeBytes(of: 0, as: UInt64.self)
            return 16
        case .v6(let address):
            bytes.storeBytes(of: 10, as: UInt16.self)
            bytes.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
            address.store(at: bytes + 8)
            bytes.storeBytes(of: 0, toByteOffset: 24, as: UInt32.self)
            return 28
        }
    }

    /// `192.0.2.1:4789` or `[2001:db8::1]:4789`.
    public var description: String {
        address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// Calls `body` with the `sockaddr` that the C library wants.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        return withUnsafeMutablePointer(to: &storage) { pointer in
            // SAFETY: sockaddr_storage is larger than `capacity` and aligned for any family.
            let base = UnsafeMutableRawPointer(pointer)
            let length = store(at: base)
            return base.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// The address that a socket is bound to.
    static func local(of descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { bytes -> SocketAddress? in
            guard let base = bytes.baseAddress else { return nil }
            var length = socklen_t(bytes.count)
            let result = base.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
            return result == 0 ? SocketAddress(at: base) : nil
        }
    }
}
