internal import CLinux
import Glibc

/// What a network driver counts by itself, as `ethtool -S` shows it.
public struct DriverStatistics: Sendable, Equatable {
    /// Names and values, in the driver's order.
    public let values: [(name: String, value: UInt64)]

    /// Takes what the driver of an interface of this process's namespace tells. Drivers may ask
    /// their device, which takes milliseconds.
    /// - Throws: `SystemError`, EOPNOTSUPP where the driver tells nothing.
    public init(of interface: String) throws(SystemError) {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .last("socket") }
        defer { close(descriptor) }
        func ask(_ what: String, _ command: inout [UInt8]) throws(SystemError) {
            let failure = weft_ethtool(descriptor, interface, &command)
            guard failure == 0 else {
                throw SystemError(call: "\(what) of \(interface)", errno: -failure)
            }
        }
        // struct ethtool_sset_info: the sets asked for, answered by how many each has.
        var sizes = Self.words(UInt32(ETHTOOL_GSSET_INFO), 0) + Self.word(UInt64(1) << Self.set)
        sizes += Self.words(0)
        try ask("count statistics", &sizes)
        let count = Int(Self.number(sizes, 16, as: UInt32.self))
        // The kernel writes as many as there are by then, whatever it is told: room for more.
        let room = count + 4096
        // struct ethtool_gstrings, ethtool_stats: a command, a set or a count, then the data.
        var names = Self.words(UInt32(ETHTOOL_GSTRINGS), UInt32(Self.set), UInt32(count))
        names += [UInt8](repeating: 0, count: room * Self.nameLength)
        try ask("name statistics", &names)
        var counts = Self.words(UInt32(ETHTOOL_GSTATS), UInt32(count))
        counts += [UInt8](repeating: 0, count: room * 8)
        try ask("read statistics", &counts)
        self.init(
            names: names[12...].prefix(Int(Self.number(names, 8, as: UInt32.self)) * 32),
            values: counts[8...].prefix(Int(Self.number(counts, 4, as: UInt32.self)) * 8))
    }

    /// From the kernel's arrays: names of 32 bytes filled up with zeros, and values of 8 bytes.
    init(names: ArraySlice<UInt8>, values: ArraySlice<UInt8>) {
        let count = min(names.count / Self.nameLength, values.count / 8)
        self.values = (0..<count).map { index in
            let start = names.startIndex + index * Self.nameLength
            let name = names[start..<start + Self.nameLength].prefix { $0 != 0 }
            return (
                String(decoding: name, as: UTF8.self),
                Self.number(Array(values), index * 8, as: UInt64.self)
            )
        }
    }

    /// The values whose names end so, by what stands before that.
    public func values(ending suffix: String) -> [String: UInt64] {
        let matching = values.filter {
            $0.name.hasSuffix(suffix) && $0.name.utf8.count > suffix.utf8.count
        }
        return Dictionary(
            matching.map { (String($0.name.dropLast(suffix.count)), $0.value) },
            uniquingKeysWith: { first, _ in first })
    }

    /// ETH_SS_STATS of linux/ethtool.h, and its ETH_GSTRING_LEN.
    private static let set = 1
    private static let nameLength = 32

    private static func word<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number) { Array($0) }
    }

    private static func words(_ numbers: UInt32...) -> [UInt8] { numbers.flatMap(word) }

    private static func number<Number: FixedWidthInteger>(
        _ bytes: [UInt8], _ offset: Int, as: Number.Type
    ) -> Number {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    public static func == (one: DriverStatistics, other: DriverStatistics) -> Bool {
        one.values.elementsEqual(other.values, by: ==)
    }
}
