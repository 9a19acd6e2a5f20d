public import Glibc

/// A packet that lies in pieces: the way in which it is handed to the kernel, and so the way in
/// which a capture finds it. Refers to memory that others own and is used at once.
public struct PacketPieces {
    let pieces: UnsafePointer<iovec>
    let count: Int
    /// Bytes of all pieces.
    public let length: Int

    /// `pieces` may be empty ones, and together have `length` bytes.
    public init(_ pieces: UnsafePointer<iovec>, count: Int, length: Int) {
        self.pieces = pieces
        self.count = count
        self.length = length
    }

    /// `pieces`, as long as they are.
    public init(_ pieces: UnsafePointer<iovec>, count: Int) {
        var length = 0
        for index in 0..<count { length &+= pieces[index].iov_len }
        self.init(pieces, count: count, length: length)
    }

    /// A big-endian number of 1, 2 or 4 bytes; nil if it is not all inside.
    @inline(__always)
    public func load(_ offset: Int, bytes: Int) -> UInt32? {
        guard offset >= 0, offset &+ bytes <= length else { return nil }
        // Nearly always it lies in the first piece, which has all headers.
        if offset &+ bytes <= pieces[0].iov_len {
            let start = UnsafeRawPointer(pieces[0].iov_base!) + offset
            switch bytes {
            case 1: return UInt32(start.load(as: UInt8.self))
            case 2: return UInt32(start.loadUnaligned(as: UInt16.self).bigEndian)
            default: return start.loadUnaligned(as: UInt32.self).bigEndian
            }
        }
        return assemble(offset, bytes)
    }

    @inline(never)
    private func assemble(_ offset: Int, _ bytes: Int) -> UInt32 {
        var value: UInt32 = 0
        var index = 0
        var start = 0
        for position in offset..<(offset &+ bytes) {
            while position &- start >= pieces[index].iov_len {
                start &+= pieces[index].iov_len
                index &+= 1
            }
            let byte = UnsafeRawPointer(pieces[index].iov_base!) + (position &- start)
            value = value << 8 | UInt32(byte.load(as: UInt8.self))
        }
        return value
    }
}
