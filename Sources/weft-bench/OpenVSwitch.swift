import Glibc
import Lab

/// Open vSwitch of one host, with a database, sockets and logs of its own.
///
/// Two bridges of the userspace datapath (`datapath_type=netdev`): `br-phy` holds the underlay's
/// `eth0` and its address, through which tunnels leave; `br-int` the VMs and a VXLAN port to each
/// peer. Forwarding is by static flows, like the kernel's static FDB: nothing is learned.
struct OpenVSwitch {
    private static let schema = "/usr/share/openvswitch/vswitch.ovsschema"
    private static let programs = [
        "ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovs-appctl",
    ]

    /// Which of its parts this machine lacks; nil if none.
    static var missingProgram: String? {
        let directories = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        let missing = programs.first { program in
            !directories.contains { access("\($0)/\(program)", X_OK) == 0 }
        }
        return missing ?? (access(schema, R_OK) == 0 ? nil : schema)
    }

    /// `ovs-vswitchd`, which forwards.
    let daemon: LabProcess
    private let host: Host
    private let peers: [Host]
    private let directory: String

    /// Starts its two daemons.
    init(on host: Host, in lab: Lab) throws {
        self.host = host
        peers = lab.hosts.filter { $0 !== host }
        directory = "\(lab.directory)/\(host.name)-ovs"
        let database = "\(directory)/conf.db"
        let socket = "\(directory)/db.sock"
        try Command(["mkdir", "-p", directory]).check()
        try Command(["ovsdb-tool", "create", database, Self.schema]).check()
        let environment = [
            "env", "OVS_RUNDIR=\(directory)", "OVS_DBDIR=\(directory)", "OVS_LOGDIR=\(directory)",
        ]
        let server = try host.spawn(
            environment + ["ovsdb-server", "--remote=punix:\(socket)", database], name: "ovsdb")
        let deadline = ContinuousClock.now + .seconds(5)
        while access(socket, F_OK) != 0 {
            guard server.isRunning, ContinuousClock.now < deadline else {
                throw LabError.timedOut(waitingFor: "ovsdb-server", detail: server.logTail())
            }
            try pause(.milliseconds(5))
        }
        daemon = try host.spawn(
            environment + [
                "ovs-vswitchd", "--unixctl=\(directory)/vswitchd.ctl", "unix:\(socket)",
            ], name: "vswitchd")
    }

    /// Makes bridges, ports and flows for the VMs that the lab has now.
    func connect(vni: UInt32) throws {
        try prepareVMs()
        try addBridges(vni: vni)
        // The underlay's address moves to the bridge: userspace tunnels leave through one.
        let batch = """
            addr flush dev eth0
            addr add \(host.address4)/\(UnderlayPlan.prefixLength4) dev br-phy
            link set br-phy up

            """
        try Command(["ip", "-batch", "-"], input: batch).inside(host.namespace).check()
        for peer in peers {
            try Command([
                "ovs-appctl", "-t", "\(directory)/vswitchd.ctl", "tnl/neigh/set", "br-phy",
                "\(peer.address4)", "\(peer.mac)",
            ]).inside(host.namespace).check()
        }
        try Command(
            ["ovs-ofctl", "add-flows", "unix:\(directory)/br-int.mgmt", "-"], input: flows
        ).inside(host.namespace).check()
    }

    /// It takes frames from a veth as they are: checksums must be filled in and superframes cut
    /// before, by the VM.
    private func prepareVMs() throws {
        for vm in host.vms {
            try Command(["ethtool", "-K", "eth0", "tx", "off"]).inside(vm.namespace).check()
        }
    }

    private func addBridges(vni: UInt32) throws {
        var arguments = ["ovs-vsctl", "--db=unix:\(directory)/db.sock", "--timeout=8"]
        func bridge(_ name: String, _ settings: String...) {
            arguments += ["--", "add-br", name, "--", "set", "bridge", name]
            arguments += ["datapath_type=netdev"] + settings
        }
        func port(_ name: String, on bridge: String, _ settings: String...) {
            arguments += ["--", "add-port", bridge, name]
            if !settings.isEmpty { arguments += ["--", "set", "interface", name] + settings }
        }
        bridge("br-phy", "other-config:hwaddr=\(host.mac)")
        port("eth0", on: "br-phy")
        bridge("br-int", "fail_mode=secure")
        for (index, vm) in host.vms.enumerated() {
            port(vm.name, on: "br-int", "ofport_request=\(Self.port(ofVM: index))")
        }
        for peer in peers {
            port(
                "vx\(peer.index)", on: "br-int", "type=vxlan",
                "options:remote_ip=\(peer.address4)", "options:key=\(vni)",
                "ofport_request=\(Self.port(ofPeer: peer))")
        }
        try Command(arguments).inside(host.namespace).check()
    }

    private static func port(ofVM index: Int) -> Int { 1 + index }
    private static func port(ofPeer peer: Host) -> Int { 100 + peer.index }

    /// Known unicast to its port; broadcast from a VM to all others, from a tunnel to VMs only.
    private var flows: String {
        let ports = host.vms.indices.map(Self.port(ofVM:))
        let tunnels = peers.map(Self.port(ofPeer:))
        var flows = "priority=0,actions=drop\n"
        for (vm, port) in zip(host.vms, ports) {
            flows += "priority=10,dl_dst=\(vm.mac),actions=output:\(port)\n"
        }
        for (peer, tunnel) in zip(peers, tunnels) {
            for vm in peer.vms {
                flows += "priority=10,dl_dst=\(vm.mac),actions=output:\(tunnel)\n"
            }
        }
        func flood(from port: Int, to others: [Int]) {
            guard !others.isEmpty else { return }
            let outputs = others.map { "output:\($0)" }.joined(separator: ",")
            flows += "priority=5,in_port=\(port),dl_dst=ff:ff:ff:ff:ff:ff,actions=\(outputs)\n"
        }
        for port in ports { flood(from: port, to: ports.filter { $0 != port } + tunnels) }
        for tunnel in tunnels { flood(from: tunnel, to: ports) }
        return flows
    }
}
