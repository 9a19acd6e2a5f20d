// Big-endian loads and stores at any alignment: the only way this project reads or writes a
// header field. They check nothing: whoever parses a header checks its length once (`Frame.parse`
// and its kin), and from then on every offset of that header is known to be inside.

extension UnsafeRawPointer {
    @inlinable @inline(__always)
    public func load8(_ offset: Int) -> UInt8 {
        load(fromByteOffset: offset, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public func load16(_ offset: Int) -> UInt16 {
        loadUnaligned(fromByteOffset: offset, as: UInt16.self).bigEndian
    }

    @inlinable @inline(__always)
    public func load32(_ offset: Int) -> UInt32 {
        loadUnaligned(fromByteOffset: offset, as: UInt32.self).bigEndian
    }

    @inlinable @inline(__always)
    public func load64(_ offset: Int) -> UInt64 {
        loadUnaligned(fromByteOffset: offset, as: UInt64.self).bigEndian
    }
}

extension UnsafeMutableRawPointer {
    @inlinable @inline(__always)
    public func load8(_ offset: Int) -> UInt8 { UnsafeRawPointer(self).load8(offset) }

    @inlinable @inline(__always)
    public func load16(_ offset: Int) -> UInt16 { UnsafeRawPointer(self).load16(offset) }

    @inlinable @inline(__always)
    public func load32(_ offset: Int) -> UInt32 { UnsafeRawPointer(self).load32(offset) }

    @inlinable @inline(__always)
    public func load64(_ offset: Int) -> UInt64 { UnsafeRawPointer(self).load64(offset) }

    @inlinable @inline(__always)
    public func store8(_ value: UInt8, _ offset: Int) {
        storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    @inlinable @inline(__always)
    public func store16(_ value: UInt16, _ offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    @inlinable @inline(__always)
    public func store32(_ value: UInt32, _ offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    @inlinable @inline(__always)
    public func store64(_ value: UInt64, _ offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
}
