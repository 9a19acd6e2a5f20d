internal import CLiburing
internal import CLinux
import Glibc

/// What this kernel and this process's limits offer, found by trying and not by version.
public struct KernelFeatures: Sendable, Equatable {
    /// io_uring can be set up at all; without it all the others but the UDP ones are `false`.
    public var uring = false
    /// Why it cannot, if it cannot.
    public var uringError: UringError?
    /// The ring runs completions only when asked (IORING_SETUP_DEFER_TASKRUN, Linux 6.1).
    public var deferTaskWork = false
    /// Requests to send messages: IORING_OP_SENDMSG.
    public var sendMessage = false
    /// Requests to receive messages: IORING_OP_RECVMSG.
    public var receiveMessage = false
    /// One request receives message after message (Linux 6.0).
    public var receiveMultishot = false
    /// One request reads frame after frame: IORING_OP_READ_MULTISHOT (Linux 6.7).
    public var readMultishot = false
    /// The kernel picks buffers from a shared ring: IORING_REGISTER_PBUF_RING (Linux 5.19).
    public var bufferRings = false
    /// One message leaves as a train of datagrams: UDP_SEGMENT (Linux 4.18).
    public var udpSegment = false
    /// A train of datagrams arrives as one message: UDP_GRO (Linux 5.0).
    public var udpReceiveOffload = false

    /// Tries each; takes less than a millisecond and leaves nothing behind.
    public static func probe() -> KernelFeatures {
        var features = KernelFeatures()
        features.udpSegment = udpAccepts(option: UDP_SEGMENT, value: 1400)
        features.udpReceiveOffload = udpAccepts(option: UDP_GRO, value: 1)
        do throws(UringError) {
            let ring = try Ring(entries: 8, completionEntries: 16)
            features.uring = true
            features.deferTaskWork = ring.defersTaskWork
            features.probeOperations(of: ring)
            features.bufferRings = probeBufferRings(of: ring)
            features.receiveMultishot = features.bufferRings && probeReceiveMultishot(on: ring)
        } catch {
            features.uringError = error
        }
        return features
    }

    private mutating func probeOperations(of ring: borrowing Ring) {
        guard let table = io_uring_get_probe_ring(ring.ring) else { return }
        defer { io_uring_free_probe(table) }
        func supports(_ operation: UInt32) -> Bool {
            io_uring_opcode_supported(table, Int32(operation)) != 0
        }
        sendMessage = supports(UInt32(IORING_OP_SENDMSG.rawValue))
        receiveMessage = supports(UInt32(IORING_OP_RECVMSG.rawValue))
        readMultishot = supports(UInt32(weft_ioring_op_read_multishot))
    }

    private static func probeBufferRings(of ring: borrowing Ring) -> Bool {
        guard let buffers = try? BufferRing(ring: ring, group: 1, count: 2, stride: 256) else {
            return false
        }
        buffers.unregister(from: ring)
        return true
    }

    /// Receives one datagram from itself: the table of operations does not tell about multishot.
    private static func probeReceiveMultishot(on ring: borrowing Ring) -> Bool {
        var pair: (Int32, Int32) = (-1, -1)
        let made = withUnsafeMutableBytes(of: &pair) {
            let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            return socketpair(AF_UNIX, type, 0, $0.baseAddress?.assumingMemoryBound(to: Int32.self))
        }
        guard made == 0 else { return false }
        defer {
            close(pair.0)
            close(pair.1)
        }
        guard let buffers = try? BufferRing(ring: ring, group: 2, count: 2, stride: 256) else {
            return false
        }
        let message = UnsafeMutablePointer<msghdr>.allocate(capacity: 1)
        message.initialize(to: msghdr())
        defer { message.deallocate() }
        var byte: UInt8 = 1
        guard send(pair.1, &byte, 1, 0) == 1,
            ring.receiveMultishot(socket: pair.0, message: message, group: 2, userData: 1)
        else { return false }
        _ = ring.submitAndWait(minimum: 1, timeoutNanoseconds: 100_000_000)
        guard ring.readyCount > 0 else { return false }
        let completion = ring.completion(at: 0)
        ring.advance(ring.readyCount)
        if completion.more {
            _ = ring.cancelAll(file: pair.0, userData: 2)
            _ = ring.submitAndWait(minimum: 2, timeoutNanoseconds: 100_000_000)
            ring.advance(ring.readyCount)
        }
        buffers.unregister(from: ring)
        return completion.result >= 0 && completion.more
    }

    private static func udpAccepts(option: Int32, value: Int32) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var value = value
        return setsockopt(
            descriptor, Int32(IPPROTO_UDP), option, &value, socklen_t(MemoryLayout<Int32>.size))
            == 0
    }
}
