/// Field offsets of the TCP header (RFC 9293 section 3.1).
public enum TCP {
    public static let sourcePort = 0
    public static let destinationPort = 2
    public static let sequence = 4
    public static let acknowledgment = 8
    public static let dataOffset = 12
    public static let flags = 13
    public static let window = 14
    public static let checksum = 16
    public static let urgent = 18
    public static let minimumHeaderLength = 20

    public enum Flag {
        public static let fin: UInt8 = 0x01
        public static let syn: UInt8 = 0x02
        public static let rst: UInt8 = 0x04
        public static let psh: UInt8 = 0x08
        public static let ack: UInt8 = 0x10
        public static let urg: UInt8 = 0x20
        public static let ece: UInt8 = 0x40
        public static let cwr: UInt8 = 0x80
    }
}

/// Field offsets of the UDP header (RFC 768).
public enum UDP {
    public static let sourcePort = 0
    public static let destinationPort = 2
    public static let length = 4
    public static let checksum = 6
    public static let headerLength = 8
}
