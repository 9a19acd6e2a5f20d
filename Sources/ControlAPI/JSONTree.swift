/// Any JSON (RFC 8259), as a tree.
public enum JSONTree: Sendable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    /// A number that is no 64-bit integer.
    case number(Double)
    case string(String)
    case array([JSONTree])
    case object([String: JSONTree])

    /// The value of a key of an object; nil for anything else.
    public subscript(key: String) -> JSONTree? {
        if case .object(let fields) = self { fields[key] } else { nil }
    }

    /// The text of a string; nil for anything else.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// An array of strings.
    public static func strings(_ values: some Sequence<some CustomStringConvertible>) -> JSONTree {
        .array(values.map { .string("\($0)") })
    }
}

extension JSONTree: Codable {
    /// Reads any JSON value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let text = try? container.decode(String.self) {
            self = .string(text)
        } else if let fields = try? container.decode([String: JSONTree].self) {
            self = .object(fields)
        } else if let items = try? container.decode([JSONTree].self) {
            self = .array(items)
        } else if let boolean = try? container.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let integer = try? container.decode(Int.self) {
            self = .integer(integer)
        } else {
            self = .number(try container.decode(Double.self))
        }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
