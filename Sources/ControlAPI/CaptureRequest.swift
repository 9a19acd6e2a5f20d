/// What packets to capture: the body of `POST /v1/captures`.
///
/// Without a place these are the frames of all ports, from and to them; with `drops` what was
/// dropped anywhere.
public struct CaptureRequest: Codable, Sendable, Equatable {
    /// Only at this port.
    public var port: String?
    /// Only of this network.
    public var network: String?
    /// Datagrams from and to peers instead of frames of ports.
    public var underlay = false
    /// What was dropped there instead of what passed.
    public var drops = false
    /// Which packets: classic BPF for Ethernet, as pcap_compile(3) makes it; nil = all.
    public var filter: [FilterInstruction]?
    /// What the filter was written as, for people.
    public var expression: String?
    /// Bytes of each packet that are kept; nil = all.
    public var snapLength: Int?
    /// Packets after which the capture ends; nil = none.
    public var count: Int?
    /// Room for packets on their way out, in KiB per worker; nil = 4096.
    public var bufferKiB: Int?

    /// Everything that passes the ports.
    public init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case port, network, underlay, drops, filter, expression, snapLength, count, bufferKiB
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Refuses keys that it does not know: a capture that was asked for by a misspelt key would
    /// show more than was wanted.
    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        let known = CodingKeys.allCases.map(\.rawValue)
        if let stranger = keys.sorted().first(where: { !known.contains($0) }) {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "unknown key `\(stranger)`; there are "
                        + known.joined(separator: ", ")))
        }
        let values = try decoder.container(keyedBy: CodingKeys.self)
        port = try values.decodeIfPresent(String.self, forKey: .port)
        network = try values.decodeIfPresent(String.self, forKey: .network)
        underlay = try values.decodeIfPresent(Bool.self, forKey: .underlay) ?? false
        drops = try values.decodeIfPresent(Bool.self, forKey: .drops) ?? false
        filter = try values.decodeIfPresent([FilterInstruction].self, forKey: .filter)
        expression = try values.decodeIfPresent(String.self, forKey: .expression)
        snapLength = try values.decodeIfPresent(Int.self, forKey: .snapLength)
        count = try values.decodeIfPresent(Int.self, forKey: .count)
        bufferKiB = try values.decodeIfPresent(Int.self, forKey: .bufferKiB)
    }
}

/// An instruction of classic BPF (bpf(4), linux/filter.h). In JSON an array of its four numbers in
/// this order, which is how `tcpdump -ddd` prints them.
public struct FilterInstruction: Codable, Sendable, Equatable {
    /// What to do.
    public var code: UInt16
    /// Instructions to pass over if a condition holds.
    public var jumpTrue: UInt8
    /// Instructions to pass over if it does not.
    public var jumpFalse: UInt8
    /// A number, an offset, or a place in memory.
    public var k: UInt32

    /// An instruction of these parts.
    public init(code: UInt16, jumpTrue: UInt8 = 0, jumpFalse: UInt8 = 0, k: UInt32 = 0) {
        self.code = code
        self.jumpTrue = jumpTrue
        self.jumpFalse = jumpFalse
        self.k = k
    }

    public init(from decoder: any Decoder) throws {
        var parts = try decoder.unkeyedContainer()
        // As wider numbers first: what does not fit would be called no JSON at all.
        func next<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
            let number = try parts.decode(Int.self)
            guard let fitting = Number(exactly: number) else {
                throw DecodingError.dataCorruptedError(
                    in: parts, debugDescription: "filter: \(number) is not in 0 to \(Number.max)")
            }
            return fitting
        }
        code = try next(UInt16.self)
        jumpTrue = try next(UInt8.self)
        jumpFalse = try next(UInt8.self)
        k = try next(UInt32.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var parts = encoder.unkeyedContainer()
        try parts.encode(code)
        try parts.encode(jumpTrue)
        try parts.encode(jumpFalse)
        try parts.encode(k)
    }
}

/// A capture that goes on.
public struct CaptureStatus: Codable, Sendable, Equatable {
    /// By which it is ended: `DELETE /v1/captures/{id}`.
    public var id: Int
    /// What was asked for; without the filter's program.
    public var request: CaptureRequest
    /// Seconds since it began.
    public var seconds: Int
    /// Packets that its filter let pass and that found room.
    public var captured: UInt64
    /// Packets that its filter let pass and that found none.
    public var lost: UInt64

    /// A capture that has come so far.
    public init(id: Int, request: CaptureRequest, seconds: Int, captured: UInt64, lost: UInt64) {
        self.id = id
        self.request = request
        self.seconds = seconds
        self.captured = captured
        self.lost = lost
    }
}

/// The reply to `GET /v1/captures`.
public struct CaptureList: Codable, Sendable, Equatable {
    /// By identifier.
    public var captures: [CaptureStatus]

    /// A reply of these captures.
    public init(captures: [CaptureStatus]) { self.captures = captures }
}
