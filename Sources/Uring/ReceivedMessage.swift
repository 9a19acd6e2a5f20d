public import CLiburing
import Glibc

/// A buffer that `Ring.receiveMultishot` filled: a header, then name, control and payload.
///
///     0        16          16 + nameCapacity    + controlCapacity          result
///     +--------+-----------+--------------------+--------------------------+
///     | header | sockaddr  | control messages   | payload                  |
///     +--------+-----------+--------------------+--------------------------+
///
/// The capacities are those of the request's `msghdr`; make them multiples of 8, so that control
/// messages and payload are aligned. Offsets are fixed: what the peer sends
/// changes only how much of each field is used.
@frozen
public struct ReceivedMessage {
    /// The sender's `sockaddr`.
    public let name: UnsafeMutableRawPointer
    /// The first control message.
    public let control: UnsafeMutableRawPointer
    /// Bytes of control messages, at most the capacity.
    public let controlLength: Int
    /// The datagram, or under UDP_GRO the train of datagrams.
    public let payload: UnsafeMutableRawPointer
    /// Bytes of payload in the buffer.
    public let payloadLength: Int
    /// MSG_* flags: MSG_TRUNC, the payload was cut to the buffer; MSG_CTRUNC, the control was.
    public let flags: UInt32

    /// Bytes before the name.
    @inlinable
    public static var headerLength: Int {
        @inline(__always) get { 16 }
    }

    /// Takes apart a buffer.
    /// - Parameters:
    ///   - result: the completion's result, in bytes.
    ///   - nameCapacity: the request's `msg_namelen`.
    ///   - controlCapacity: the request's `msg_controllen`.
    /// - Returns: `nil` if the result is too short to hold the fixed part.
    @inlinable @inline(__always)
    public init?(
        buffer: UnsafeMutableRawPointer, result: Int32, nameCapacity: Int, controlCapacity: Int
    ) {
        let fixed = Self.headerLength &+ nameCapacity &+ controlCapacity
        guard Int(result) >= fixed else { return nil }
        let header = buffer.load(as: io_uring_recvmsg_out.self)
        name = buffer + Self.headerLength
        control = buffer + Self.headerLength + nameCapacity
        controlLength = min(Int(header.controllen), controlCapacity)
        payload = buffer + fixed
        // `header.payloadlen` is the datagram's own length when it was truncated.
        payloadLength = Int(result) &- fixed
        flags = header.flags
    }
}
