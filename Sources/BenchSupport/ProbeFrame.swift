/// The frame that generator and sink exchange: 60 bytes, on a wire 64 with its check sequence.
///
///      0  Ethernet, IPv4 without options, UDP        42 bytes
///     42  magic, run, sequence number                12 bytes, big-endian
///     54  zeros                                       6 bytes
///
/// A receiver may find several merged into one UDP superframe: the payload is then several
/// records of 18 bytes.
package struct ProbeFrame {
    /// Bytes of a frame without its check sequence.
    package static let length = 60
    private static let headerLength = 42
    private static let recordLength = 18
    private static let magic: UInt32 = 0x7765_6674
    private static let sequenceOffset = 50
    private static let checksumOffset = 40

    /// The frame with sequence number 0.
    package let template: [UInt8]
    /// Of pseudo header, UDP header and payload with sequence number 0, not folded.
    private let sum: UInt32

    /// The address of one end: MAC in the lower 48 bits, IPv4, UDP port.
    package struct End {
        /// 48 bits.
        package var mac: UInt64
        /// 32 bits.
        package var address: UInt32
        /// The UDP port.
        package var port: UInt16

        /// One end.
        package init(mac: UInt64, address: UInt32, port: UInt16) {
            self.mac = mac
            self.address = address
            self.port = port
        }
    }

    /// Frames of one run, whose number tells them from those of the run before.
    package init(from source: End, to destination: End, run: UInt32) {
        let udpLength = UInt16(8 + Self.recordLength)
        var frame: [UInt8] = []
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { frame += $0 }
        }
        func appendMAC(_ mac: UInt64) {
            append(UInt16(truncatingIfNeeded: mac >> 32))
            append(UInt32(truncatingIfNeeded: mac))
        }
        appendMAC(destination.mac)
        appendMAC(source.mac)
        append(UInt16(0x0800))
        append(UInt16(0x4500))
        append(20 + udpLength)
        append(UInt32(0x4000))  // Identification 0, do not fragment.
        append(UInt16(64 << 8 | 17))  // Time to live, UDP.
        append(UInt16(0))
        append(source.address)
        append(destination.address)
        append(source.port)
        append(destination.port)
        append(udpLength)
        append(UInt16(0))
        append(Self.magic)
        append(run)
        frame += [UInt8](repeating: 0, count: Self.length - frame.count)

        let header = ~Self.fold(Self.words(frame[14..<34]))
        frame[24] = UInt8(header >> 8)
        frame[25] = UInt8(header & 0xff)
        // The pseudo header is the addresses, the protocol, and the length once more.
        sum = Self.words(frame[26...]) + 17 + UInt32(udpLength)
        template = frame
    }

    /// Makes a copy of the template the frame with this sequence number.
    package func number(_ sequence: UInt32, in frame: UnsafeMutableRawBufferPointer) {
        let checksum = ~Self.fold(sum + sequence >> 16 + sequence & 0xffff)
        // 0 would say that there is no checksum.
        let stored = checksum == 0 ? 0xffff : checksum
        frame.storeBytes(
            of: sequence.bigEndian, toByteOffset: Self.sequenceOffset, as: UInt32.self)
        frame.storeBytes(
            of: stored.bigEndian, toByteOffset: Self.checksumOffset, as: UInt16.self)
    }

    /// Calls `body` with the sequence number of each record in a frame of this run.
    package static func forEachSequence(
        in frame: UnsafeRawBufferPointer, run: UInt32, _ body: (UInt32) -> Void
    ) {
        func load16(_ offset: Int) -> UInt16 {
            UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        func load32(_ offset: Int) -> UInt32 {
            UInt32(bigEndian: frame.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        guard frame.count >= length, load16(12) == 0x0800, frame[14] == 0x45, frame[23] == 17
        else { return }
        let end = min(frame.count, 14 + Int(load16(16)))
        var record = headerLength
        while record + recordLength <= end {
            if load32(record) == magic, load32(record + 4) == run { body(load32(record + 8)) }
            record += recordLength
        }
    }

    private static func words(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() {
            sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte)
        }
        return sum
    }

    private static func fold(_ sum: UInt32) -> UInt16 {
        let once = sum >> 16 + sum & 0xffff
        return UInt16(truncatingIfNeeded: once >> 16 + once & 0xffff)
    }
}
