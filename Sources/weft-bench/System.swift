import Glibc
import Lab
import Wire

/// What carries the frames between two VMs on two hosts, or stands in for that.
enum System: String, Codable, CaseIterable {
    /// `weftd` on both hosts, its TAP in the VM's namespace; spins as it does by default.
    case weft
    /// The same, an idle worker spinning for 50 us before it sleeps.
    case weftBusyPoll = "weft-busypoll"
    /// The kernel's VXLAN device and bridge, the VM on a veth; outer UDP checksums on, as
    /// between Weft hosts.
    case kernel
    /// The same with outer UDP checksums off, which is ip-link(8)'s default.
    case kernelNoChecksum = "kernel-nocsum"
    /// No overlay: from host to host.
    case wire

    private static let network = LabNetwork("bench", vni: 100)

    /// Two hosts with all that the system needs.
    func build(in lab: Lab) throws -> Bed {
        for _ in 0..<2 { try lab.addHost() }
        switch self {
        case .weft: return try buildWeft(in: lab, settings: [:])
        case .weftBusyPoll: return try buildWeft(in: lab, settings: ["busyPoll": "50us"])
        case .kernel: return try buildKernel(in: lab, checksum: "udpcsum")
        case .kernelNoChecksum: return try buildKernel(in: lab, checksum: "noudpcsum")
        case .wire:
            return Bed(stations: lab.hosts.map(Station.init), daemons: [], expectedMTU: 1500)
        }
    }

    private func addVMs(to lab: Lab, kind: VM.Kind) throws {
        for host in lab.hosts {
            guard let address = VM.Address("10.0.0.\(host.index + 1)/24") else { continue }
            try lab.addVM(
                "vm\(host.index)", on: host, network: Self.network, addresses: [address],
                kind: kind)
        }
    }

    private func buildWeft(in lab: Lab, settings: [String: String]) throws -> Bed {
        try addVMs(to: lab, kind: .tap)
        let daemons = try lab.hosts.map { host in
            var configuration = lab.weftdConfiguration(for: host)
            configuration.settings.merge(settings) { _, new in new }
            return try lab.startWeftd(on: host, configuration: configuration, wait: false)
        }
        for daemon in daemons { try daemon.waitUntilReady() }
        return Bed(
            stations: lab.vms.map(Station.init), daemons: daemons.map(\.process.pid),
            expectedMTU: Bed.overlayMTU)
    }

    /// Everything known beforehand, nothing learned from the tunnel: the kernel at its best.
    private func buildKernel(in lab: Lab, checksum: String) throws -> Bed {
        try addVMs(to: lab, kind: .veth)
        for (host, peer) in [(lab.hosts[0], lab.hosts[1]), (lab.hosts[1], lab.hosts[0])] {
            let (vm, far) = (host.vms[0], peer.vms[0])
            let links = """
                link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
                link add vx0 type vxlan id \(Self.network.vni) dstport 4789 \
                local \(host.address4) dev eth0 nolearning \(checksum)
                link set vx0 mtu \(Bed.overlayMTU) master br0 up
                link set \(vm.name) mtu \(Bed.overlayMTU) master br0 up
                link set br0 up

                """
            try Command(["ip", "-batch", "-"], input: links).inside(host.namespace).check()
            let entries = """
                fdb append 00:00:00:00:00:00 dev vx0 dst \(peer.address4)
                fdb append \(far.mac) dev vx0 dst \(peer.address4)

                """
            try Command(["bridge", "-batch", "-"], input: entries).inside(host.namespace).check()
            try Command(["ip", "link", "set", "eth0", "mtu", "\(Bed.overlayMTU)"])
                .inside(vm.namespace).check()
            try Self.bypassIPTables(on: host.namespace)
        }
        return Bed(
            stations: lab.vms.map(Station.init), daemons: [], expectedMTU: Bed.overlayMTU)
    }

    /// Where br_netfilter is loaded, each frame on a bridge would also pass iptables, which holds
    /// no rule here: a cost that the comparison is not about.
    private static func bypassIPTables(on namespace: NetworkNamespace) throws {
        for family in ["iptables", "ip6tables", "arptables"] {
            let setting = "/proc/sys/net/bridge/bridge-nf-call-\(family)"
            guard access(setting, F_OK) == 0 else { continue }
            try Command(["sysctl", "-qw", "net.bridge.bridge-nf-call-\(family)=0"])
                .inside(namespace).check()
        }
    }
}
