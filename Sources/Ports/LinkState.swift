internal import CLinux
import Glibc
public import Wire

/// What the kernel tells about a network interface at one moment.
public struct LinkState: Sendable, Equatable {
    /// Its number, unique within its namespace and never changed.
    public var index: Int32
    /// Its name, at most 15 bytes; may be changed while it is down.
    public var name: String
    /// Octets of a frame's payload: without the Ethernet header.
    public var mtu: Int
    /// Its Ethernet address; `nil` for an interface that has none.
    public var mac: MACAddress?
    /// The administrator set it up (IFF_UP).
    public var isUp: Bool
    /// Up, and the other side is there (IFF_RUNNING): frames can pass.
    public var isRunning: Bool
    /// RFC 2863 operational state, IF_OPER_*: 6 is up, 2 down, 0 unknown.
    public var operationalState: UInt8
    /// Frames that its transmit queue holds; of a TAP also what waits to be read.
    public var transmitQueueLength: Int
    /// Frames that it was to transmit and threw away; of a TAP those that found its queue full.
    public var transmitDrops: UInt64
    /// What made it: "tun", "veth", "vxlan", "bridge"...; empty for a physical one.
    public var kind: String
    /// Of a "tun" interface only: what it was created as.
    public var tun: Tun?

    /// How a TUN/TAP interface was created.
    public struct Tun: Sendable, Equatable {
        /// A TAP carries Ethernet frames, a TUN IP packets.
        public var isTap: Bool
        /// Created with IFF_MULTI_QUEUE: every opener must ask for it too.
        public var isMultiQueue: Bool
        /// It outlives its openers.
        public var isPersistent: Bool
        /// Queues that are held open, of a multi-queue interface; others do not tell.
        public var queues: Int
    }

    /// From the body of an RTM_NEWLINK or RTM_DELLINK message.
    init(body: ArraySlice<UInt8>) {
        // struct ifinfomsg: family, type, index, flags, change; then attributes.
        let attributes = NetlinkMessage.attributes(in: body.dropFirst(16))
        func number(_ type: Int) -> UInt32? {
            attributes[type].map { $0.number(at: 0, as: UInt32.self) }
        }
        let flags = body.number(at: 8, as: UInt32.self)
        index = body.number(at: 4, as: Int32.self)
        name = attributes[Int(IFLA_IFNAME)]?.text ?? ""
        mtu = Int(number(Int(IFLA_MTU)) ?? 0)
        mac = attributes[Int(IFLA_ADDRESS)].flatMap { bytes in
            guard bytes.count == 6 else { return nil }
            return MACAddress(bits: bytes.reduce(0) { $0 << 8 | UInt64($1) })
        }
        isUp = flags & 0x1 != 0
        isRunning = flags & 0x1 != 0 && flags & 0x40 != 0
        operationalState = attributes[Int(IFLA_OPERSTATE)]?.first ?? 0
        transmitQueueLength = Int(number(Int(IFLA_TXQLEN)) ?? 0)
        // struct rtnl_link_stats64: the eighth of its numbers is tx_dropped.
        transmitDrops =
            attributes[Int(IFLA_STATS64)].flatMap { bytes in
                bytes.count >= 64 ? bytes.number(at: 56, as: UInt64.self) : nil
            } ?? 0
        let info = NetlinkMessage.attributes(in: attributes[Int(IFLA_LINKINFO)] ?? [])
        kind = info[Int(IFLA_INFO_KIND)]?.text ?? ""
        guard kind == "tun" else { return }
        let data = NetlinkMessage.attributes(in: info[Int(IFLA_INFO_DATA)] ?? [])
        tun = Tun(
            isTap: data[Int(IFLA_TUN_TYPE)]?.first == 2,
            isMultiQueue: data[Int(IFLA_TUN_MULTI_QUEUE)]?.first == 1,
            isPersistent: data[Int(IFLA_TUN_PERSIST)]?.first == 1,
            queues: Int(data[Int(IFLA_TUN_NUM_QUEUES)]?.number(at: 0, as: UInt32.self) ?? 0))
    }
}
