import Glibc

/// A file descriptor that is closed when its owner goes.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The descriptor, valid for as long as this value lives.
    public let number: Int32

    /// Takes over `number`, which nobody else may close.
    public init(owning number: Int32) {
        self.number = number
    }

    /// Takes over what `call` gave, or throws the error that it left in `errno`.
    init(
        _ number: Int32, of call: @autoclosure () -> String,
        advice: @autoclosure () -> String? = nil
    ) throws(SystemError) {
        guard number >= 0 else { throw .last(call(), advice: advice()) }
        self.number = number
    }

    deinit { close(number) }

    /// Gives the descriptor away: the caller closes it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}

/// Several descriptors that are closed together.
public struct OwnedDescriptors: ~Copyable, Sendable {
    /// The descriptors in the order in which they were opened.
    public private(set) var numbers: [Int32] = []

    init() {}

    /// Takes over `numbers`, which nobody else may close.
    public init(owning numbers: [Int32]) { self.numbers = numbers }

    mutating func append(_ descriptor: consuming OwnedDescriptor) {
        numbers.append(descriptor.release())
    }

    /// Gives the descriptors away: the caller closes them.
    consuming func release() -> [Int32] {
        let given = numbers
        numbers = []
        return given
    }

    deinit {
        for number in numbers { close(number) }
    }
}

extension OwnedDescriptor {
    /// Sets an option whose value is an `int`.
    func setOption(
        _ level: Int32, _ name: Int32, _ value: Int32, _ call: @autoclosure () -> String
    ) throws(SystemError) {
        guard trySetOption(level, name, value) else { throw .last(call()) }
    }

    /// Sets an option whose value is an `int`, and tells whether the kernel took it.
    func trySetOption(_ level: Int32, _ name: Int32, _ value: Int32) -> Bool {
        var value = value
        return setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// Reads an option whose value is an `int`; `nil` if the kernel does not know it.
    func option(_ level: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(number, level, name, &value, &length) == 0 ? value : nil
    }

    /// What a socket has thrown away since it was made, because its buffer was full or for want of
    /// memory. The kernel counts in 32 bits.
    public static func drops(ofSocket descriptor: Int32) -> UInt64 {
        // SO_MEMINFO gives nine numbers, SK_MEMINFO_DROPS the last (linux/sock_diag.h).
        let (option, place): (Int32, Int) = (55, 8)
        var values = [UInt32](repeating: 0, count: place + 1)
        var length = socklen_t(values.count * MemoryLayout<UInt32>.size)
        let failed = getsockopt(descriptor, SOL_SOCKET, option, &values, &length)
        return failed == 0 ? UInt64(values[place]) : 0
    }

    /// Asks for a buffer of `bytes`, past the sysctl's limit where privileges allow.
    /// - Returns: the bytes that the kernel keeps, as it counts them (twice what was asked).
    func setBuffer(force: Int32, limited: Int32, bytes: Int32) -> Int {
        if !trySetOption(SOL_SOCKET, force, bytes) {
            _ = trySetOption(SOL_SOCKET, limited, bytes)
        }
        return Int(option(SOL_SOCKET, limited) ?? 0)
    }
}
