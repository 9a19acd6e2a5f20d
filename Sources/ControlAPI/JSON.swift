import FoundationEssentials

/// The API's JSON: one line, keys sorted, so that replies of equal content are equal.
public enum JSON {
    /// The bytes of `value`.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    /// The bytes of `value` on several lines, for files that people look at.
    public static func encodeForPeople(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    /// The value that `bytes` describe.
    public static func decode<Value: Decodable>(_: Value.Type, from bytes: [UInt8]) throws -> Value
    {
        try JSONDecoder().decode(Value.self, from: Data(bytes))
    }
}
