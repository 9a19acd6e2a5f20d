import Lab
import Testing

//   one-0: weftd ──── switch ──── one-1: another implementation of VXLAN
//   └─ vm 10.0.0.1                └─ 10.0.0.2

extension Scenarios {
    /// The far host runs what others run: the kernel's VXLAN device, Open vSwitch.
    @Suite("Interoperation") struct InteroperationTests {
        /// How the kernel's device is set up.
        enum Kernel: String, CaseIterable {
            case ipv4WithChecksum = "udpcsum"
            case ipv4WithoutChecksum = "noudpcsum"
            case ipv6WithChecksum = "noudp6zerocsumtx noudp6zerocsumrx"
            case ipv6WithoutChecksum = "udp6zerocsumtx udp6zerocsumrx"

            var isIPv6: Bool { self == .ipv6WithChecksum || self == .ipv6WithoutChecksum }
        }

        @Test("the kernel's VXLAN device", arguments: Kernel.allCases, [1500, 9001])
        func kernel(kind: Kernel, mtu: Int) throws {
            try scenario(LabOptions(mtu: mtu, ipv6Underlay: kind.isIPv6)) { play in
                let hosts = try play.hosts(2)
                let vm = Station(try play.vm("vm", 1, on: hosts[0], ipv6: true))
                try addVXLAN(to: hosts[1], peer: hosts[0], kind.rawValue)
                try hosts[1].namespace.sh("sysctl", "-qw", "net.ipv6.conf.vx0.disable_ipv6=0")
                for address in ["10.0.0.2/24", "fd01::2/64"] {
                    try hosts[1].namespace.sh("ip", "addr", "add", address, "dev", "vx0")
                }
                let far = Station(hosts[1], "10.0.0.2", "fd01::2")
                try play.start(hosts[0])
                // Duplicate address detection holds a new address back.
                #expect(try eventually { try play.answers("fd01::2", from: vm) })
                try play.expectReachable(vm, far)
                try play.transfer(vm, far, megabytes: 40)
                try play.transfer(far, vm, megabytes: 10)
                try play.expectDatagramsIntact(vm, far, count: 2000)
                try play.expectDatagramsIntact(far, vm, count: 2000)
            }
        }

        @Test("the kernel's VXLAN device in a bridge, with VMs behind it")
        func bridge() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let vm = Station(try play.vm("vm", 1, on: hosts[0]))
                let others = try [
                    play.vm("far2", 2, on: hosts[1], kind: .veth),
                    play.vm("far3", 3, on: hosts[1], kind: .veth),
                ]
                try addVXLAN(to: hosts[1], peer: hosts[0], "udpcsum")
                try addBridge("br0", of: ["vx0"] + others.map(\.name), on: hosts[1])
                try play.start(hosts[0])
                for other in others {
                    try other.namespace.sh("ip", "link", "set", "eth0", "mtu", "1450")
                    try play.expectReachable(vm, Station(other))
                    try play.transfer(Station(other), vm, megabytes: 40)
                }
            }
        }

        @Test("Open vSwitch's userspace datapath") func openVSwitch() throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let vm = Station(try play.vm("vm", 1, on: hosts[0]))
                try fillInChecksums(of: hosts[0])
                let ovs = try OpenVSwitch(play, on: hosts[1])
                try ovs.addTunnel(to: hosts[0], vni: Scenario.blue.vni, address: "10.0.0.2/24")
                let far = Station(hosts[1], "10.0.0.2")
                try play.start(hosts[0])
                // It asks for the MAC of the peer's underlay address when it first needs it.
                #expect(try eventually { try play.answers("10.0.0.1", from: far) })
                try play.expectReachable(vm, far)
                // Forgotten on both sides, so that each finds the other by ARP.
                for station in [vm, far] { try station.namespace.sh("ip", "neigh", "flush", "all") }
                try play.expectReachable(vm, far)
                try play.transfer(vm, far, megabytes: 20)
            }
        }

        private func addVXLAN(to host: Host, peer: Host, _ options: String) throws {
            try fillInChecksums(of: host)
            let device = """
                link add vx0 type vxlan id \(Scenario.blue.vni) dstport 4789 local \(host.vtep) \
                remote \(peer.vtep) dev eth0 \(options)
                link set vx0 up

                """
            try host.namespace.sh("ip", "-batch", "-", input: device)
        }
    }
}

/// Makes a host fill in checksums before a frame leaves: of the outer header, and of the inner
/// one, which the kernel's VXLAN device leaves to the NIC as well. A NIC does; a veth hands over
/// frames with checksums unfilled, and who then takes them for what was on a wire is misled.
private func fillInChecksums(of host: Host) throws {
    try host.namespace.sh("ethtool", "-K", "eth0", "tx", "off")
}

/// Puts devices of a host into a new bridge.
func addBridge(_ name: String, of devices: [String], on host: Host) throws {
    var batch = "link add \(name) type bridge mcast_snooping 0\nlink set \(name) up\n"
    batch += devices.map { "link set \($0) master \(name) up\n" }.joined()
    try host.namespace.sh("ip", "-batch", "-", input: batch)
}

/// Open vSwitch of a host, with its own database and sockets.
private struct OpenVSwitch {
    private let host: Host
    private let directory: String

    /// Starts it and moves the underlay's address to its bridge: its userspace tunnels leave
    /// through one.
    init(_ play: Scenario, on host: Host) throws {
        self.host = host
        directory = "\(play.lab.directory)/ovs"
        let database = "\(directory)/conf.db"
        try host.namespace.sh("mkdir", "-p", directory)
        try host.namespace.sh(
            "ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
        let environment = [
            "env", "OVS_RUNDIR=\(directory)", "OVS_DBDIR=\(directory)", "OVS_LOGDIR=\(directory)",
        ]
        let socket = "\(directory)/db.sock"
        _ = try host.spawn(
            environment + ["ovsdb-server", "--remote=punix:\(socket)", database], name: "ovsdb")
        #expect(
            try eventually { try host.run(["test", "-S", socket]).succeeded }, "no ovsdb-server")
        _ = try host.spawn(environment + ["ovs-vswitchd", "unix:\(socket)"], name: "vswitchd")
        try configure([
            "add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
            "other-config:hwaddr=\(host.mac)", "--", "add-port", "br-phy", "eth0",
        ])
        let batch = """
            addr flush dev eth0
            addr add \(host.address4)/20 dev br-phy
            link set br-phy up

            """
        try host.namespace.sh("ip", "-batch", "-", input: batch)
    }

    /// A bridge with a tunnel to a peer, and an address of the network on its own port.
    func addTunnel(to peer: Host, vni: UInt32, address: String) throws {
        try configure([
            "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "--",
            "add-port", "br-int", "vx0", "--", "set", "interface", "vx0", "type=vxlan",
            "options:remote_ip=\(peer.vtep)", "options:key=\(vni)",
        ])
        let batch = """
            link set br-int mtu 1450 up
            addr add \(address) dev br-int

            """
        try host.namespace.sh("ip", "-batch", "-", input: batch)
    }

    private func configure(_ arguments: [String]) throws {
        try Command(
            ["ovs-vsctl", "--db=unix:\(directory)/db.sock", "--timeout=8"] + arguments
        ).inside(host.namespace).check()
    }
}
