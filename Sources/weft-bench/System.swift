import Glibc
import Lab
import Wire

/// What carries the frames between VMs, or stands in for that.
enum System: String, Codable, CaseIterable {
    /// `weftd` on each host, its TAP in the VM's namespace; spins as it does by default.
    case weft
    /// The same, an idle worker spinning for 50 us before it sleeps.
    case weftBusyPoll = "weft-busypoll"
    /// The kernel's VXLAN device and bridge, the VM on a veth; outer UDP checksums on, as
    /// between Weft hosts.
    case kernel
    /// The same with outer UDP checksums off, which is ip-link(8)'s default.
    case kernelNoChecksum = "kernel-nocsum"
    /// Open vSwitch's userspace datapath with a VXLAN port, the VM on a veth.
    case ovs
    /// No overlay: from host to host.
    case wire

    private static let network = LabNetwork("bench", vni: 100)
    /// What VXLAN over IPv4 takes of the underlay's MTU.
    private static let overhead = 50

    /// Why it cannot take part on this machine; nil if it can.
    var obstacle: String? {
        guard self == .ovs, let missing = OpenVSwitch.missingProgram else { return nil }
        return "no \(missing) here: install openvswitch-switch (scripts/install.sh bench)"
    }

    /// Hosts with all that the system needs.
    func build(in lab: Lab, stage: Scenario.Stage) throws -> Bed {
        for _ in 0..<stage.hosts { try lab.addHost() }
        for host in lab.hosts { try Self.bypassIPTables(on: host.namespace) }
        if self == .wire {
            return Bed(
                lab.hosts.map(Station.init), in: lab, stage: stage, overhead: 0, daemons: [])
        }
        let isTAP = self == .weft || self == .weftBusyPoll
        try addVMs(to: lab, stage: stage, kind: isTAP ? .tap : .veth)
        let daemons: [Int32]
        switch self {
        case .weft: daemons = try startWeft(in: lab, settings: [:])
        case .weftBusyPoll: daemons = try startWeft(in: lab, settings: ["busyPoll": "50us"])
        case .kernel: daemons = try addKernelOverlay(to: lab, checksum: "udpcsum")
        case .kernelNoChecksum: daemons = try addKernelOverlay(to: lab, checksum: "noudpcsum")
        case .ovs: daemons = try startOpenVSwitch(in: lab)
        case .wire: daemons = []
        }
        return Bed(
            lab.vms.map(Station.init), in: lab, stage: stage, overhead: Self.overhead,
            daemons: daemons)
    }

    private func addVMs(to lab: Lab, stage: Scenario.Stage, kind: VM.Kind) throws {
        let hosts = stage.isShared ? [lab.hosts[0], lab.hosts[0]] : lab.hosts
        for (index, host) in hosts.enumerated() {
            guard let address = VM.Address("10.0.0.\(index + 1)/24") else { continue }
            let vm = try lab.addVM(
                "vm\(index)", on: host, network: Self.network, addresses: [address], kind: kind)
            guard kind == .veth else { continue }
            let mtu = "\(stage.mtu - Self.overhead)"
            for (device, place) in [("eth0", vm.namespace), (vm.name, host.namespace)] {
                try Command(["ip", "link", "set", device, "mtu", mtu]).inside(place).check()
            }
        }
    }

    private func startWeft(in lab: Lab, settings: [String: String]) throws -> [Int32] {
        let daemons = try lab.hosts.map { host in
            var configuration = lab.weftdConfiguration(for: host)
            configuration.settings.merge(settings) { _, new in new }
            return try lab.startWeftd(on: host, configuration: configuration, wait: false)
        }
        for daemon in daemons { try daemon.waitUntilReady() }
        return daemons.map(\.process.pid)
    }

    /// Everything known beforehand, nothing learned from the tunnel: the kernel at its best.
    private func addKernelOverlay(to lab: Lab, checksum: String) throws -> [Int32] {
        for host in lab.hosts {
            let mtu = lab.options.mtu - Self.overhead
            var links = """
                link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
                link add vx0 type vxlan id \(Self.network.vni) dstport 4789 \
                local \(host.address4) dev eth0 nolearning \(checksum)
                link set vx0 mtu \(mtu) master br0 up
                link set br0 up

                """
            for vm in host.vms { links += "link set \(vm.name) master br0 up\n" }
            try Command(["ip", "-batch", "-"], input: links).inside(host.namespace).check()
            var entries = ""
            for peer in lab.hosts where peer !== host {
                let macs = ["00:00:00:00:00:00"] + peer.vms.map { "\($0.mac)" }
                entries += macs.map { "fdb append \($0) dev vx0 dst \(peer.address4)\n" }.joined()
            }
            try Command(["bridge", "-batch", "-"], input: entries).inside(host.namespace).check()
        }
        return []
    }

    private func startOpenVSwitch(in lab: Lab) throws -> [Int32] {
        let switches = try lab.hosts.map { try OpenVSwitch(on: $0, in: lab) }
        for each in switches { try each.connect(vni: Self.network.vni) }
        return switches.map(\.daemon.pid)
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
