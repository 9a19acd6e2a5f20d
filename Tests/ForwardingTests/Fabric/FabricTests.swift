import Forwarding
import TestFrames
import Testing
import Wire

/// Many hosts, networks and VMs, all kinds of traffic, and an underlay that does what networks do.
/// A failure names its seed; WEFT_SEED=… repeats it.
@Suite("Fabric", .serialized)
struct FabricTests {
    static let profiles = [
        UnderlayProfile(),
        UnderlayProfile(delay: 12),
        UnderlayProfile(losesOneIn: 5, delay: 3),
        UnderlayProfile(losesOneIn: 10, duplicatesOneIn: 4, delay: 20),
    ]

    @Test("Random traffic", arguments: [2, 3, 5, 8], profiles)
    func randomTraffic(_ hosts: Int, _ profile: UnderlayProfile) {
        let seed = testSeed()
        let fabric = Fabric(
            hosts: hosts, networks: 1 + hosts / 2, profile: profile, seed: seed)
        fabric.portsRefuseOneIn = 40
        for _ in 0..<3000 where fabric.failures == 0 {
            act(fabric)
            fabric.advance()
        }
        fabric.settle()
        checkBooks(fabric)
        if profile.duplicatesOneIn == 0 { checkSingleDelivery(fabric) }
        fabric.expect(fabric.deliveries.count > 1000, "hardly anything was delivered")

        converge(fabric)
        checkBooks(fabric)
    }

    // MARK: What may happen

    func act(_ fabric: Fabric) {
        let index = fabric.generator.below(fabric.vms.count)
        let vm = fabric.vms[index]
        let others = fabric.vms.filter { $0.network == vm.network }
        let other = others[fabric.generator.below(others.count)]
        switch fabric.generator.below(20) {
        case 0..<9: fabric.inject(unicast(vm, to: other.mac, other.ip), at: vm.at)
        case 9: fabric.inject(unicast(vm, to: unknown(fabric), other.ip), at: vm.at)
        case 10, 11: fabric.inject(arp(vm, asks: other.ip), at: vm.at)
        case 12: fabric.inject(arp(vm, asks: vm.ip), at: vm.at)
        case 13: fabric.inject(arp(vm, asks: vm.ip, from: .any), at: vm.at)
        case 14: fabric.inject(arpReply(vm, to: other), at: vm.at)
        case 15: fabric.inject(unicast(vm, to: .broadcast, IPv4Address(bits: .max)), at: vm.at)
        case 16: move(index, fabric)
        case 17, 18: spoof(vm, as: other, fabric)
        default: strangeDatagram(vm, fabric)
        }
    }

    func unknown(_ fabric: Fabric) -> MACAddress {
        MACAddress(bits: 0x0600_0000_0000 + UInt64(fabric.generator.below(1 << 20)))
    }

    func move(_ index: Int, _ fabric: Fabric) {
        let vm = fabric.vms[index]
        guard !vm.isGuarded else { return }
        let ports = fabric.openPorts[vm.network]
        fabric.move(index, to: ports[fabric.generator.below(ports.count)])
        // Most announce themselves (RFC 5227 section 2.3), some are just heard of next.
        if !fabric.generator.oneIn(3) {
            fabric.inject(arp(vm, asks: vm.ip), at: fabric.vms[index].at)
        }
    }

    func spoof(_ vm: FabricVM, as other: FabricVM, _ fabric: Fabric) {
        var liar = vm
        if fabric.generator.oneIn(2) { liar.mac = other.mac }
        if fabric.generator.oneIn(2) { liar.ip = other.ip }
        switch fabric.generator.below(5) {
        case 0: liar.mac = .zero
        case 1: liar.mac = MACAddress(bits: 0x0300_0000_0001)
        default: break
        }
        let frame =
            switch fabric.generator.below(3) {
            case 0: unicast(liar, to: other.mac, other.ip)
            case 1: arp(liar, asks: other.ip)
            default: arp(liar, asks: IPv4Address(bits: other.ip.bits + 1), senderMAC: vm.mac)
            }
        fabric.inject(frame, at: vm.at)
    }

    /// From an address that is no host's, or in a network that nobody has, or no VXLAN.
    func strangeDatagram(_ vm: FabricVM, _ fabric: Fabric) {
        let frame = unicast(vm, to: .broadcast, vm.ip)
        let known = 0x0800_0000_0000_0000 | UInt64(1000 + vm.network) << 8
        let to = fabric.generator.below(fabric.hosts.count)
        let peer = FabricHost.address((to + 1) % fabric.hosts.count)
        func datagram(_ header: UInt64) -> [UInt8] {
            be32(UInt32(header >> 32)) + be32(UInt32(truncatingIfNeeded: header)) + frame
        }
        switch fabric.generator.below(4) {
        case 0: fabric.injectDatagram(datagram(known), to: to, from: FabricHost.address(200))
        case 1: fabric.injectDatagram(datagram(known ^ 0x8000_0000), to: to, from: peer)
        case 2: fabric.injectDatagram(datagram(known & ~(0xff << 56)), to: to, from: peer)
        default:
            let length = fabric.generator.below(21)
            fabric.injectDatagram(Array(datagram(known).prefix(length)), to: to, from: peer)
        }
    }

    // MARK: Frames, with ten bytes at the end for their number

    func builder(_ vm: FabricVM, to mac: MACAddress, _ ip: IPv4Address) -> FrameBuilder {
        var builder = FrameBuilder.ipv4
        builder.sourceMAC = vm.mac
        builder.destinationMAC = mac
        builder.source = .v4(vm.ip)
        builder.destination = .v4(ip)
        return builder
    }

    func unicast(_ vm: FabricVM, to mac: MACAddress, _ ip: IPv4Address) -> [UInt8] {
        builder(vm, to: mac, ip).udp(payload: [UInt8](repeating: 0, count: 20))
    }

    func arp(
        _ vm: FabricVM, asks target: IPv4Address, from sender: IPv4Address? = nil,
        senderMAC: MACAddress? = nil
    ) -> [UInt8] {
        builder(vm, to: .broadcast, target).arp(
            operation: 1, senderMAC: senderMAC ?? vm.mac, senderIP: sender ?? vm.ip,
            targetMAC: .zero, targetIP: target) + [UInt8](repeating: 0, count: 18)
    }

    func arpReply(_ vm: FabricVM, to other: FabricVM) -> [UInt8] {
        builder(vm, to: other.mac, other.ip).arp(
            operation: 2, senderMAC: vm.mac, senderIP: vm.ip, targetMAC: other.mac,
            targetIP: other.ip) + [UInt8](repeating: 0, count: 18)
    }

    // MARK: What must hold

    func checkBooks(_ fabric: Fabric) {
        for host in fabric.hosts {
            fabric.expect(host.booksBalance, "host \(host.number)'s counters do not add up")
        }
    }

    func checkSingleDelivery(_ fabric: Fabric) {
        for (number, ports) in fabric.deliveries {
            for (port, count) in ports {
                fabric.expect(count == 1, "frame \(number) \(count) times at \(port)")
            }
        }
    }

    /// Once all have announced themselves and nothing is lost, a frame to a VM reaches its port
    /// and no other.
    func converge(_ fabric: Fabric) {
        fabric.underlay.profile = UnderlayProfile()
        fabric.portsRefuseOneIn = 0
        for vm in fabric.vms {
            fabric.inject(arp(vm, asks: vm.ip), at: vm.at)
            fabric.settle()
        }
        for vm in fabric.vms {
            for other in fabric.vms where other.network == vm.network && other.mac != vm.mac {
                let number = fabric.inject(unicast(vm, to: other.mac, other.ip), at: vm.at)
                fabric.settle()
                // Behind one port the frame has been there already.
                let expected = other.at == vm.at ? [:] : [other.at: 1]
                let found = fabric.deliveries[number] ?? [:]
                fabric.expect(
                    found == expected, "from \(vm.at) to \(other.at), but at \(found.keys)")
            }
        }
    }
}
