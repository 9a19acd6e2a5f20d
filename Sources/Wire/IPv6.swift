// IPv6 (RFC 8200 section 3)
//
//   0               4               6       7       8
//  +---------------+---------------+-------+-------+---------------+
//  |Ver|TC|Flow    | Payload length| Next  | Hops  | Source (16)   |
//  +---------------+---------------+-------+-------+---------------+
//  | ... Destination (16), at 24                                   |
//  +---------------------------------------------------------------+

/// Field offsets of the IPv6 header.
public enum IPv6 {
    public static let versionAndClass = 0
    public static let payloadLength = 4
    public static let nextHeader = 6
    public static let hopLimit = 7
    public static let source = 8
    public static let destination = 24
    public static let headerLength = 40

    /// Extension headers that may stand before the transport header (RFC 8200 section 4.1).
    public enum Extension {
        public static let hopByHop: UInt8 = 0
        public static let routing: UInt8 = 43
        public static let fragment: UInt8 = 44
        public static let destinationOptions: UInt8 = 60
    }
}
