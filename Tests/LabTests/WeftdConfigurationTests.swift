import Catalog
import Glibc
import Lab
import Testing
import Wire

/// The configuration that the lab writes is one that `weftd` reads.
@Suite(.enabled(if: geteuid() == 0, "network namespaces need root"))
struct WeftdConfigurationTests {
    private let name = "t\(getpid())-conf"

    @Test func describesTheHostItsPeersAndItsVMs() throws {
        try Lab.with(name: name) { lab in
            let one = try lab.addHost()
            let two = try lab.addHost()
            let blue = LabNetwork("blue", vni: 100)
            let green = LabNetwork("green", vni: 200, mtu: 1400)
            try lab.addVM("b1", on: one, network: blue, addresses: ["10.0.0.1/24", "fd01::1/64"])
            try lab.addVM("g1", on: one, network: green, addresses: ["10.0.0.1/24"], kind: .veth)
            try lab.addVM("b2", on: two, network: blue, addresses: ["10.0.0.2/24"])

            var written = lab.weftdConfiguration(for: one)
            written.networks[0].settings["learning"] = "false"
            written.settings["busyPoll"] = "off"
            let read = try Configuration.parse(yaml: written.yaml, file: "one-0.yaml")

            #expect(read.host == "one-0")
            #expect(read.underlay.address?.description == "172.31.0.10")
            #expect(read.workers == 1)
            #expect(read.busyPoll == .off)
            #expect(read.peers.map { "\($0.name) \($0.address)" } == ["one-1 172.31.0.11"])
            #expect(read.networks.map(\.vni) == [100, 200])
            #expect(read.networks.map(\.mtu) == [nil, 1400])
            #expect(read.networks.map(\.learning) == [false, true])
            #expect(read.ports.map(\.kind) == [.tap, .interface])
            #expect(read.ports.map(\.device) == ["eth0", "g1"])
            #expect(read.ports.map(\.netns) == ["\(name)-b1", nil])
            #expect(read.ports[0].macs.map(\.description) == ["02:00:0a:00:00:01"])
            #expect(
                read.ports[0].ips.map(\.description) == [
                    "10.0.0.1", "fd01::1", "fe80::aff:fe00:1",
                ])
        }
    }
}
