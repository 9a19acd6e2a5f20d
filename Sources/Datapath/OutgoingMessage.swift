import CLinux
import Glibc
import Ports
import Wire

/// A message to a peer in `TurnMemory`: the msghdr, the peer's address, the control messages.
///
///     0         56   64            96                 120              144    192
///     +---------+----+-------------+------------------+----------------+------+
///     | msghdr  |    | sockaddr_in6| cmsg UDP_SEGMENT | cmsg TOS       |      |
///     +---------+----+-------------+------------------+----------------+------+
struct OutgoingMessage {
    static let stride = 192
    private static let nameAt = 64
    private static let controlAt = 96
    /// A cmsghdr (16 bytes) and up to 8 bytes of data.
    private static let controlLength = 24

    let memory: UnsafeMutableRawPointer

    /// The header to hand to the kernel.
    @inline(__always)
    var header: UnsafeMutablePointer<msghdr> {
        memory.assumingMemoryBound(to: msghdr.self)
    }

    /// Fills everything.
    /// - Parameters:
    ///   - segmentSize: bytes of each datagram but the last; 0 = one datagram.
    ///   - tos: TOS or traffic class of the outer header; 0 = the socket's.
    @inline(__always)
    func fill(
        to address: IPv6Address, port: UInt16, isIPv6: Bool, vectors: UnsafeMutablePointer<iovec>,
        count: Int, segmentSize: Int, tos: UInt8
    ) {
        let name = memory + OutgoingMessage.nameAt
        if isIPv6 {
            name.storeBytes(of: sa_family_t(AF_INET6), as: sa_family_t.self)
            name.store16(port, 2)
            name.store32(0, 4)
            address.store(at: name + 8)
            name.store32(0, 24)
        } else {
            name.storeBytes(of: sa_family_t(AF_INET), as: sa_family_t.self)
            name.store16(port, 2)
            name.store32(UInt32(truncatingIfNeeded: address.low), 4)
            name.store64(0, 8)
        }
        var control = 0
        if segmentSize != 0 {
            let at = memory + OutgoingMessage.controlAt
            writeControl(at, SOL_UDP, UDP_SEGMENT, dataLength: 2)
            at.storeBytes(
                of: UInt16(truncatingIfNeeded: segmentSize), toByteOffset: 16, as: UInt16.self)
            control &+= OutgoingMessage.controlLength
        }
        if tos != 0 {
            let at = memory + OutgoingMessage.controlAt + control
            writeControl(
                at, isIPv6 ? Int32(IPPROTO_IPV6) : Int32(IPPROTO_IP), isIPv6 ? IPV6_TCLASS : IP_TOS,
                dataLength: 4)
            at.storeBytes(of: Int32(tos), toByteOffset: 16, as: Int32.self)
            control &+= OutgoingMessage.controlLength
        }
        header.initialize(
            to: msghdr(
                msg_name: name, msg_namelen: isIPv6 ? 28 : 16, msg_iov: vectors, msg_iovlen: count,
                msg_control: control == 0 ? nil : memory + OutgoingMessage.controlAt,
                msg_controllen: control, msg_flags: 0))
    }

    /// The address that `fill` was given.
    var target: SocketAddress? { SocketAddress(at: memory + OutgoingMessage.nameAt) }

    /// The segment size that `fill` was given.
    var segmentSize: Int {
        control(SOL_UDP).map { Int($0.load(as: UInt16.self)) } ?? 0
    }

    /// The TOS that `fill` was given.
    var tos: UInt8 {
        let data = control(Int32(IPPROTO_IP)) ?? control(Int32(IPPROTO_IPV6))
        return data.map { UInt8(truncatingIfNeeded: $0.load(as: Int32.self)) } ?? 0
    }

    /// The data of the control message of a level.
    private func control(_ level: Int32) -> UnsafeMutableRawPointer? {
        var offset = 0
        while offset < header.pointee.msg_controllen {
            let at = memory + OutgoingMessage.controlAt + offset
            if at.load(fromByteOffset: 8, as: Int32.self) == level { return at + 16 }
            offset &+= OutgoingMessage.controlLength
        }
        return nil
    }

    @inline(__always)
    private func writeControl(
        _ at: UnsafeMutableRawPointer, _ level: Int32, _ type: Int32, dataLength: Int
    ) {
        at.storeBytes(of: 16 &+ dataLength, as: Int.self)
        at.storeBytes(of: level, toByteOffset: 8, as: Int32.self)
        at.storeBytes(of: type, toByteOffset: 12, as: Int32.self)
    }
}
