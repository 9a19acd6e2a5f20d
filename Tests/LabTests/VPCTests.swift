import Glibc
import Lab
import Testing
import Wire

/// What the emulated VPC passes and drops, on real namespaces.
@Suite(.enabled(if: geteuid() == 0, "network namespaces need root"), .serialized)
struct VPCTests {
    /// A lab of two hosts under a name of this process; other tests have theirs.
    private func withTwoHosts(
        _ suffix: String, options: LabOptions = LabOptions(),
        _ body: (Lab, Host, Host) throws -> Void
    ) throws {
        try Lab.with(name: "t\(getpid())-\(suffix)", options: options) { lab in
            try body(lab, lab.addHost(), lab.addHost())
        }
    }

    private func ping(_ address: some CustomStringConvertible, from host: Host, _ more: String...)
        throws -> Bool
    {
        try host.run(["ping", "-c", "1", "-W", "1", "-n"] + more + ["\(address)"]).succeeded
    }

    @Test(arguments: WireProfile.allCases, [1500, 9001])
    func hostsReachEachOther(profile: WireProfile, mtu: Int) throws {
        try withTwoHosts("reach", options: LabOptions(mtu: mtu, profile: profile)) {
            (lab, one, two) throws in
            // The largest packet that fits, not to be fragmented: 20 bytes IPv4, 8 bytes ICMP.
            #expect(try ping(two.address4, from: one, "-M", "do", "-s", "\(mtu - 28)"))
            #expect(try !ping(two.address4, from: one, "-M", "do", "-s", "\(mtu - 27)"))
            #expect(try lab.drops().values.allSatisfy { $0 == 0 })
        }
    }

    @Test func hostsMayBeWiredDirectly() throws {
        try withTwoHosts("direct", options: LabOptions(ipv6Underlay: true, wiring: .direct)) {
            (lab, one, two) throws in
            #expect(try ping(two.address4, from: one, "-M", "do", "-s", "1472"))
            #expect(try ping(#require(one.address6), from: two))
            #expect(!lab.vpc.exists)
            for host in [one, two] {
                let device = try host.run(["ip", "-d", "link", "show", "eth0"]).stdout
                #expect(device.contains("\(host.mac)"))
                let features = try host.run(["ethtool", "-k", "eth0"]).stdout
                #expect(features.contains("tx-udp-segmentation: off"))
            }
            #expect(throws: LabError.self) { try lab.addHost() }
        }
    }

    @Test func theNICProfileHasNoTunnelSegmentation() throws {
        try withTwoHosts("nic") { _, one, _ in
            let features = try one.run(["ethtool", "-k", "eth0"]).stdout
            #expect(features.contains("tx-udp_tnl-segmentation: off"))
            #expect(features.contains("tcp-segmentation-offload: off"))
            #expect(features.contains("generic-receive-offload: on"))
        }
    }

    @Test func ipv6HostsReachEachOther() throws {
        try withTwoHosts("six", options: LabOptions(ipv6Underlay: true)) { (lab, one, two) throws in
            #expect(try ping(#require(two.address6), from: one))
            #expect(try lab.drops()[.spoofedIPv6] == 0)
            // A source of the right prefix that nobody registered.
            try one.run(["ip", "addr", "add", "fd00::77/64", "dev", "eth0", "nodad"])
                .expectSuccess()
            #expect(try !ping(#require(two.address6), from: one, "-I", "fd00::77"))
            #expect(try #require(lab.drops()[.spoofedIPv6]) > 0)
        }
    }

    @Test func aSpoofedSourceAddressIsDropped() throws {
        try withTwoHosts("ip") { (lab, one, two) throws in
            #expect(try ping(two.address4, from: one))
            try one.run(["ip", "addr", "add", "172.31.0.77/20", "dev", "eth0"]).expectSuccess()
            #expect(try !ping(two.address4, from: one, "-I", "172.31.0.77"))
            #expect(try #require(lab.drops()[.spoofedIPv4]) > 0)
            #expect(try lab.drops()[.spoofedARP] == 0)

            // Registered, it passes: two's ARP request for it is answered too.
            try one.registerSecondaryAddress(#require(IPAddress("172.31.0.77")))
            #expect(try ping(two.address4, from: one, "-I", "172.31.0.77"))
        }
    }

    @Test func aSpoofedMACIsDropped() throws {
        try withTwoHosts("mac") { (lab, one, two) throws in
            #expect(try ping(two.address4, from: one))
            let neighbor = [
                "ip", "neigh", "replace", "\(two.address4)", "lladdr", "\(two.mac)",
                "nud", "reachable", "dev", "eth0",
            ]
            try one.run(["ip", "link", "set", "eth0", "address", "02:00:00:00:00:99"])
                .expectSuccess()
            // With the neighbour known no ARP comes first.
            try one.run(neighbor).expectSuccess()
            #expect(try !ping(two.address4, from: one))
            #expect(try #require(lab.drops()[.spoofedIPv4]) > 0)
            try one.run(["ip", "neigh", "flush", "all"]).expectSuccess()
            #expect(try !ping(two.address4, from: one))
            #expect(try #require(lab.drops()[.spoofedARP]) > 0)
        }
    }

    @Test func anotherHostsPairIsDropped() throws {
        try withTwoHosts("pair") { (lab, one, two) throws in
            // Both address and MAC are registered together, but for another port.
            let third = try lab.addHost()
            try two.run(["ip", "link", "set", "eth0", "address", "\(one.mac)"]).expectSuccess()
            try two.run(["ip", "addr", "add", "\(one.address4)/20", "dev", "eth0"]).expectSuccess()
            #expect(try !ping(third.address4, from: two, "-I", "\(one.address4)"))
            #expect(try #require(lab.drops()[.spoofedARP]) > 0)
        }
    }

    @Test func multicastAndBroadcastAreDropped() throws {
        try withTwoHosts("bum") { (lab, one, _) throws in
            #expect(try !ping("172.31.15.255", from: one, "-b"))
            #expect(try lab.drops()[.broadcast] == 1)
            #expect(try lab.drops()[.multicast] == 0)
            #expect(try !ping("224.0.0.1", from: one, "-I", "eth0"))
            #expect(try #require(lab.drops()[.multicast]) > 0)
        }
    }

    /// The overlay that everybody has: kernel VXLAN between hosts, veth VMs on a bridge.
    @Test func kernelVXLANCarriesVMs() throws {
        try withTwoHosts("vxlan") { (lab, one, two) throws in
            let blue = LabNetwork("blue", vni: 100)
            for (host, peer) in [(one, two), (two, one)] {
                try lab.addVM(
                    "vm\(host.index)", on: host, network: blue,
                    addresses: [VM.Address("10.0.0.\(host.index + 1)/24")!], kind: .veth)
                let batch = """
                    link add br0 type bridge
                    link add vx0 type vxlan id \(blue.vni) dstport 4789 \
                        local \(host.address4) remote \(peer.address4) dev eth0
                    link set vx0 master br0 up
                    link set vm\(host.index) master br0
                    link set br0 up

                    """
                try host.run(["ip", "-batch", "-"], input: batch).expectSuccess()
            }
            let result = try lab.vms[0].run(["ping", "-c", "1", "-W", "3", "10.0.0.2"])
            #expect(result.succeeded, "\(result.stdout)\(result.stderr)")
        }
    }
}

extension CommandResult {
    /// Fails the test at hand with what the command said.
    func expectSuccess(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try #require(succeeded, "status \(status): \(stderr)", sourceLocation: sourceLocation)
    }
}
