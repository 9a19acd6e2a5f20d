internal import CLinux
import Glibc

/// A request to rtnetlink(7): a header, a fixed part, attributes; built in place.
struct NetlinkRequest {
    private(set) var bytes: [UInt8] = []

    /// Starts a request of `type` (RTM_*), with `flags` besides NLM_F_REQUEST, and its fixed part.
    init(type: Int, flags: Int32, fixed: some BitwiseCopyable) {
        var header = nlmsghdr()
        header.nlmsg_type = UInt16(type)
        header.nlmsg_flags = UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST)
        append(header)
        append(fixed)
    }

    private mutating func append(_ value: some BitwiseCopyable) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
        pad()
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// Adds an attribute; its length covers header and value, not the padding (RFC 3549 2.2).
    mutating func attribute(_ type: Int, _ value: [UInt8]) {
        withUnsafeBytes(of: (UInt16(4 + value.count), UInt16(type))) {
            bytes.append(contentsOf: $0)
        }
        bytes.append(contentsOf: value)
        pad()
    }

    /// Adds an attribute that is a 32-bit number in the host's order.
    mutating func attribute(_ type: Int, _ value: UInt32) {
        attribute(type, withUnsafeBytes(of: value) { Array($0) })
    }

    /// Adds an attribute that is a text with its final zero.
    mutating func attribute(_ type: Int, _ value: String) {
        attribute(type, Array(value.utf8) + [0])
    }

    /// The request with its length filled in.
    func finished() -> [UInt8] {
        var bytes = bytes
        let length = UInt32(bytes.count)
        withUnsafeBytes(of: length) { bytes.replaceSubrange(0..<4, with: $0) }
        return bytes
    }
}

/// A message from rtnetlink, or the part of one that is a run of attributes.
struct NetlinkMessage {
    let type: Int
    /// What follows the header.
    let body: ArraySlice<UInt8>

    /// Takes a datagram apart; what does not fit its length fields is left out.
    static func messages(in datagram: ArraySlice<UInt8>) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = datagram
        while rest.count >= 16 {
            let length = Int(rest.number(at: 0, as: UInt32.self))
            guard length >= 16, length <= rest.count else { break }
            let type = Int(rest.number(at: 4, as: UInt16.self))
            messages.append(NetlinkMessage(type: type, body: rest.prefix(length).dropFirst(16)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return messages
    }

    /// The attributes in `bytes` by their type.
    static func attributes(in bytes: ArraySlice<UInt8>) -> [Int: ArraySlice<UInt8>] {
        var attributes: [Int: ArraySlice<UInt8>] = [:]
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(rest.number(at: 0, as: UInt16.self))
            guard length >= 4, length <= rest.count else { break }
            // The two upper bits mark nested and big-endian values.
            let type = Int(rest.number(at: 2, as: UInt16.self) & 0x3fff)
            attributes[type] = rest.prefix(length).dropFirst(4)
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return attributes
    }
}

extension ArraySlice<UInt8> {
    /// A number in the host's order, `offset` bytes from the start; 0 beyond the end.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Number.Type
    ) -> Number {
        guard offset + MemoryLayout<Number>.size <= count else { return 0 }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    /// A text that ends at its first zero.
    var text: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }
}

/// A conversation with rtnetlink in the namespace of the thread that opens it.
struct NetlinkSocket: ~Copyable {
    let descriptor: OwnedDescriptor

    /// - Parameters:
    ///   - groups: RTMGRP_* to listen to.
    ///   - nonblocking: whether `receive` gives `nil` rather than wait.
    init(groups: UInt32 = 0, nonblocking: Bool = false) throws(SystemError) {
        let type =
            Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | (nonblocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
        let descriptor = try OwnedDescriptor(
            socket(AF_NETLINK, type, NETLINK_ROUTE), of: "socket(AF_NETLINK)")
        var address = sockaddr_nl()
        address.nl_family = UInt16(AF_NETLINK)
        address.nl_groups = groups
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
        }
        guard bound == 0 else { throw .last("bind(AF_NETLINK)") }
        self.descriptor = descriptor
    }

    /// The next datagram.
    /// - Returns: `nil` if there is none and the socket does not wait.
    func receive() throws(SystemError) -> ArraySlice<UInt8>? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor.number, &buffer, buffer.count, 0)
            if count >= 0 { return buffer.prefix(count) }
            if errno == EAGAIN { return nil }
            if errno != EINTR { throw .last("recv(AF_NETLINK)") }
        }
    }

    /// Sends `request` and collects what answers it, up to the acknowledgement.
    /// - Parameter call: the request in words, for the error.
    func ask(_ request: NetlinkRequest, _ call: String) throws(SystemError) -> [NetlinkMessage] {
        let bytes = request.finished()
        guard send(descriptor.number, bytes, bytes.count, 0) == bytes.count else {
            throw .last(call)
        }
        var answers: [NetlinkMessage] = []
        while let datagram = try receive() {
            for message in NetlinkMessage.messages(in: datagram) {
                switch message.type {
                case Int(NLMSG_ERROR):
                    let code = message.body.number(at: 0, as: Int32.self)
                    if code != 0 { throw SystemError(call: call, errno: -code) }
                    return answers
                case Int(NLMSG_DONE):
                    return answers
                default:
                    answers.append(message)
                }
            }
        }
        return answers
    }
}
