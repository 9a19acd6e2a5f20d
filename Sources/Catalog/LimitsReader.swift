import ControlAPI

/// Reads and writes the limits of a port.
enum LimitsReader {
    private static let directions = ["fromVM", "toVM"]
    private static let keys = ["rate", "burst", "packets"]

    static func read(_ value: Value) -> PortLimits {
        guard let fields = value.fields(directions) else { return PortLimits() }
        return PortLimits(
            fromVM: fields["fromVM"].flatMap(readDirection),
            toVM: fields["toVM"].flatMap(readDirection))
    }

    private static func readDirection(_ value: Value) -> RateLimit? {
        guard let fields = value.fields(keys) else { return nil }
        if fields["rate"] == nil, fields["packets"] == nil {
            value.report("limits nothing: give a `rate`, `packets`, or both")
        }
        if fields["rate"] == nil, let burst = fields["burst"] {
            burst.report("`burst` without `rate`: give the rate, or remove this")
        }
        return RateLimit(
            rate: fields["rate"]?.quantity(in: 8000...1_000_000_000_000, "bits per second"),
            burst: fields["burst"]?.quantity(
                in: 2000...4_000_000_000, "bytes", units: .decimal + .binary),
            packets: fields["packets"]?.quantity(in: 1...1_000_000_000, "packets per second"))
    }

    /// The keys of docs/configuration.md.
    static func json(_ limits: PortLimits) -> JSONTree {
        var fields: [String: JSONTree] = [:]
        fields["fromVM"] = limits.fromVM.map(json)
        fields["toVM"] = limits.toVM.map(json)
        return .object(fields)
    }

    private static func json(_ limit: RateLimit) -> JSONTree {
        var fields: [String: JSONTree] = [:]
        fields["rate"] = limit.rate.map { written($0, .decimal) }
        fields["burst"] = limit.burst.map { written($0, .binary + .decimal) }
        fields["packets"] = limit.packets.map { written($0, .decimal) }
        return .object(fields)
    }

    /// The number with the largest unit that it is a whole multiple of.
    private static func written(_ number: Int, _ units: [UnitPrefix]) -> JSONTree {
        let fitting = units.filter { number % $0.factor == 0 }
        guard let unit = fitting.max(by: { $0.factor < $1.factor }) else {
            return .integer(number)
        }
        return .string("\(number / unit.factor)\(unit.symbol)")
    }
}

/// What may stand behind a number.
struct UnitPrefix {
    let symbol: String
    let factor: Int
}

extension [UnitPrefix] {
    /// Powers of 1000.
    static let decimal = [
        UnitPrefix(symbol: "k", factor: 1000), UnitPrefix(symbol: "M", factor: 1_000_000),
        UnitPrefix(symbol: "G", factor: 1_000_000_000),
        UnitPrefix(symbol: "T", factor: 1_000_000_000_000),
    ]

    /// Powers of 1024 (IEC 80000-13).
    static let binary = [
        UnitPrefix(symbol: "Ki", factor: 1 << 10), UnitPrefix(symbol: "Mi", factor: 1 << 20),
        UnitPrefix(symbol: "Gi", factor: 1 << 30),
    ]
}

extension Value {
    /// A number of something, perhaps with a unit's prefix: `500M`, `2.5G`, `256Ki`.
    func quantity(
        in range: ClosedRange<Int>, _ unit: String, units: [UnitPrefix] = .decimal
    ) -> Int? {
        let example = units.contains { $0.symbol == "Ki" } ? "`256Ki` or `1M`" : "`500M` or `2.5G`"
        let expected =
            "a number of \(unit) in \(range.lowerBound)...\(range.upperBound), like \(example)"
        guard let text = text(expected) else { return nil }
        let prefix = units.filter { text.hasSuffix($0.symbol) }
            .max { $0.symbol.utf8.count < $1.symbol.utf8.count }
        let digits = text.dropLast(prefix?.symbol.count ?? 0)
        guard let number = fixedPoint(digits, times: prefix?.factor ?? 1) else {
            report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        guard range.contains(number) else {
            report("\(text) is out of range, expected \(expected)")
            return nil
        }
        return number
    }

    /// Decimal digits, perhaps with a fraction, times a factor. Nil for anything else, for what is
    /// no whole number then, and where it does not fit.
    private func fixedPoint(_ digits: Substring, times factor: Int) -> Int? {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), let whole = decimal(parts[0]), whole >= 0 else {
            return nil
        }
        let (product, isTooLarge) = whole.multipliedReportingOverflow(by: factor)
        guard !isTooLarge else { return nil }
        guard parts.count == 2 else { return product }
        guard parts[1].utf8.count <= 9, let fraction = decimal(parts[1]), fraction >= 0 else {
            return nil
        }
        let scale = parts[1].utf8.reduce(1) { power, _ in power * 10 }
        // Both are far below the square root of what fits, but for factors of 10^12.
        let (part, isOver) = fraction.multipliedReportingOverflow(by: factor)
        guard !isOver, part % scale == 0 else { return nil }
        let (sum, isBeyond) = product.addingReportingOverflow(part / scale)
        return isBeyond ? nil : sum
    }
}
