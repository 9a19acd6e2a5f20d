import Catalog
import Glibc
import Ports
import Wire

/// A port's device while it is open: the queues that the workers use.
final class AttachedPort {
    private enum Device {
        case tap(Tap)
        case packet(PacketPort)
    }

    private let device: Device
    let link: Link
    /// The device takes UDP superframes.
    let takesUDPSuperframes: Bool
    /// What the kernel granted, for people.
    let offloads: String
    /// What its descriptors are called in the store.
    let storeName: String
    /// An earlier daemon has opened it.
    let isKept: Bool

    /// Opens the device with a queue for each worker, and sets it up; or goes on with the
    /// descriptors that an earlier daemon left in the store.
    init(
        _ port: Port, mtu: Int, workers: Int, offloads: Configuration.Offloads,
        store: DescriptorStore?
    ) throws(SystemError) {
        let namespace = port.netns.map { NetworkNamespace($0) }
        let storeName = port.storeName
        self.storeName = storeName
        switch port.kind {
        case .tap, .host:
            var options = Tap.Options(name: port.device, queues: workers, namespace: namespace)
            // The device outlives a daemon that is restarted or killed: whoever is plugged into
            // it keeps his end, and the next start takes it over.
            options.persistent = true
            options.owner = port.owner
            options.group = port.group
            options.mtu = mtu
            options.mac = port.mac
            options.udpSegmentation = offloads.uso
            let kept = store?.take(storeName) { try? Tap(adopting: $0, options) }
            let tap: Tap
            if let kept {
                tap = kept
            } else {
                tap = try Tap(options)
                store?.keep(storeName, tap.queues)
            }
            isKept = kept != nil
            device = .tap(tap)
            link = tap.link
            takesUDPSuperframes = tap.offloads.contains(.uso4)
            AttachedPort.fitSuperframes(link, mtu: mtu)
            self.offloads = tap.offloads.description
        case .interface:
            let kept = store?.take(storeName) {
                try? PacketPort(
                    adopting: $0, of: port.device, sockets: workers, in: namespace)
            }
            let packet: PacketPort
            if let kept {
                packet = kept
            } else {
                packet = try PacketPort(port.device, sockets: workers, in: namespace)
                store?.keep(storeName, packet.sockets)
            }
            isKept = kept != nil
            device = .packet(packet)
            link = packet.link
            takesUDPSuperframes = false
            self.offloads = "packet socket"
            try link.setMTU(mtu)
        }
        // One that has left its namespace has its addresses from whoever moved it.
        for address in port.addresses where !link.isAbsent {
            try link.addAddress(address.address, prefixLength: address.prefixLength)
        }
    }

    /// The host's stack hands a TAP superframes that leave as one message: without the limit a
    /// 64 KiB superframe takes two, the second of them nearly empty. An older kernel may not know
    /// the attribute; nothing depends on it.
    private static func fitSuperframes(_ link: Link, mtu: Int) {
        // A segment's payload without TCP options, and its datagram's headers around the packet.
        let payload = mtu - 40
        let segments = 65507 / (mtu + Ethernet.headerLength + VXLAN.headerLength)
        // The stack takes its own headroom off the limit (MAX_TCP_HEADER, 320 bytes and one).
        try? link.setSegmentationLimit(min(65536, segments * payload + 400))
    }

    /// Has a TAP go with its last descriptor. One that was there before the daemon and bears
    /// another name than Weft gives is somebody else's, and stays.
    func endWithUs() {
        guard case .tap(let tap) = device, !tap.tookOver || link.name.hasPrefix("weft-") else {
            return
        }
        try? tap.setPersistent(false)
    }

    /// Leaves the device to a daemon that goes on with its descriptors.
    func leave() {
        if case .packet(let packet) = device { packet.leaveFilter() }
    }

    /// Takes addresses from the device that the port has no longer.
    func removeAddresses(_ addresses: [InterfaceAddress]) {
        for address in addresses {
            try? link.removeAddress(address.address, prefixLength: address.prefixLength)
        }
    }

    var isTap: Bool {
        if case .tap = device { true } else { false }
    }

    /// Whether the device is no more. A TAP that was moved to another namespace, or renamed, is
    /// gone from where it was and passes frames all the same.
    var isGone: Bool {
        if case .tap(let tap) = device { !tap.hasDevice } else { true }
    }

    /// The device as it is now, wherever it was moved to.
    func state() throws(SystemError) -> LinkState {
        switch device {
        case .tap(let tap): try tap.state()
        case .packet: try link.state()
        }
    }

    /// Frames of the device's user that were lost on the way to Weft, because the queue was full:
    /// of a TAP since it was made, of a packet socket since that was opened.
    func missedFrames(_ state: LinkState) -> UInt64 {
        switch device {
        case .tap: state.transmitDrops
        case .packet(let packet): packet.missedFrames
        }
    }

    /// Sets the MTU of the device, wherever it is now.
    func setMTU(_ mtu: Int) throws(SystemError) {
        switch device {
        case .tap(let tap): try tap.setMTU(mtu)
        case .packet: try link.setMTU(mtu)
        }
    }

    /// Whether the device was made in this namespace and has been moved to another since.
    func hasLeft(_ identity: NetworkNamespace.Identity?) -> Bool {
        guard case .tap(let tap) = device, let now = tap.namespaceIdentity else { return false }
        return now != identity
    }

    /// A worker's queue.
    func queue(_ worker: Int) -> Mailbox.Queue {
        switch device {
        case .tap(let tap):
            Mailbox.Queue(
                file: tap.queues[worker], reading: .file,
                headerLength: UInt8(Tap.virtioHeaderLength))
        case .packet(let packet):
            Mailbox.Queue(
                file: packet.sockets[worker], reading: .packetSocket,
                headerLength: UInt8(PacketPort.virtioHeaderLength))
        }
    }
}
