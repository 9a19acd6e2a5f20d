// pcapng (draft-ietf-opsawg-pcapng): blocks of a type, a length, a body padded to 4 bytes, and the
// length again, in the byte order that the section header's magic number shows. Ours is
// little-endian.
//
//   0         4        8            ...              n-4      n
//  +---------+--------+---------------+---------------+--------+
//  | type    | length | fixed fields  | options       | length |
//  +---------+--------+---------------+---------------+--------+
//
//   option: code (2), length (2), value padded to 4 bytes; the last is 0, 0.

/// Writes blocks, one after another.
public struct PcapngEncoder: Sendable {
    /// The link type of every interface: Ethernet. libpcap reads no file with several.
    public static let ethernet: UInt16 = 1
    /// Most bytes of a comment or a name.
    static let maximumText = 4096

    /// What was written and not yet taken.
    public private(set) var bytes: [UInt8] = []
    private var blockStart = 0

    /// Writes nothing yet.
    public init() {}

    /// Takes what was written.
    public mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    /// The section header block: first of all (section 4.1).
    public mutating func section(application: String) {
        block(0x0a0d_0d0a) { encoder in
            encoder.put(0x1a2b_3c4d as UInt32)
            encoder.put(1 as UInt16)
            encoder.put(0 as UInt16)
            // The section's length: unknown, it goes on until the end.
            encoder.put(UInt64.max)
            encoder.option(4, application)
            encoder.endOptions()
        }
    }

    /// An interface description block: interfaces are numbered from 0 as they are described
    /// (section 4.2). Times of its packets are in nanoseconds. `snapLength` 0 = no limit.
    public mutating func interface(name: String, description: String, snapLength: UInt32) {
        block(1) { encoder in
            encoder.put(Self.ethernet)
            encoder.put(0 as UInt16)
            encoder.put(snapLength)
            encoder.option(2, name)
            encoder.option(3, description)
            encoder.option(9, [9])
            encoder.endOptions()
        }
    }

    /// An enhanced packet block (section 4.3); `body` appends the packet's `record.keptLength`
    /// bytes.
    public mutating func packet(
        _ record: CaptureRecord, interface: UInt32, comment: String?,
        body: (inout [UInt8]) -> Void
    ) {
        block(6) { encoder in
            encoder.put(interface)
            encoder.put(UInt32(truncatingIfNeeded: record.time >> 32))
            encoder.put(UInt32(truncatingIfNeeded: record.time))
            encoder.put(record.keptLength)
            encoder.put(record.length)
            body(&encoder.bytes)
            encoder.pad()
            // epb_flags: 1 = inbound, 2 = outbound.
            encoder.option(2, Self.little(record.marks.contains(.outbound) ? 2 : 1 as UInt32))
            if let comment { encoder.option(1, comment) }
            encoder.endOptions()
        }
    }

    /// An interface statistics block (section 4.6): packets that the filter let pass, and how many
    /// of them were lost.
    public mutating func statistics(
        interface: UInt32, time: UInt64, received: UInt64, lost: UInt64
    ) {
        block(5) { encoder in
            encoder.put(interface)
            encoder.put(UInt32(truncatingIfNeeded: time >> 32))
            encoder.put(UInt32(truncatingIfNeeded: time))
            encoder.option(4, Self.little(received))
            encoder.option(5, Self.little(lost))
            encoder.endOptions()
        }
    }

    private mutating func block(_ type: UInt32, _ body: (inout PcapngEncoder) -> Void) {
        let start = bytes.count
        put(type)
        put(0 as UInt32)
        body(&self)
        let length = UInt32(bytes.count - start + 4)
        put(length)
        bytes.replaceSubrange(start + 4..<start + 8, with: Self.little(length))
    }

    private mutating func option(_ code: UInt16, _ value: [UInt8]) {
        put(code)
        put(UInt16(value.count))
        bytes += value
        pad()
    }

    private mutating func option(_ code: UInt16, _ text: String) {
        option(code, Array(text.utf8.prefix(Self.maximumText)))
    }

    private mutating func endOptions() { put(0 as UInt32) }

    /// Blocks begin at multiples of four: so do their parts.
    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    private mutating func put(_ value: some FixedWidthInteger) { bytes += Self.little(value) }

    private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
