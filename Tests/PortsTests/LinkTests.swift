import Glibc
import Ports
import Testing
import Wire

@Suite("Links", .enabled(if: isRoot))
struct LinkTests {
    @Test("Reads and changes an interface of a namespace")
    func changes() throws {
        let space = try TestNamespace()
        try space.inside("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        let link = try Link("v0", in: space.namespace)
        #expect(try link.state().kind == "veth")
        #expect(try !link.state().isUp)
        try link.setMTU(9000)
        let mac = try #require(MACAddress("02:00:00:00:00:11"))
        try link.setMAC(mac)
        try link.setTransmitQueueLength(77)
        try link.setUp(true)
        let state = try link.state()
        #expect(state.mtu == 9000 && state.mac == mac && state.transmitQueueLength == 77)
        #expect(state.isUp && !state.isRunning, "the other side is down")
        try link.setUp(false)
        #expect(try !link.state().isUp)
        #expect(try Link.all(in: space.namespace).map(\.name).sorted() == ["lo", "v0", "v1"])

        let v4 = try #require(IPAddress("192.0.2.1"))
        let v6 = try #require(IPAddress("2001:db8::1"))
        for _ in 0..<2 {
            try link.addAddress(v4, prefixLength: 24)
            try link.addAddress(v6, prefixLength: 64, skipDuplicateDetection: true)
        }
        let shown = try space.inside("ip", "address", "show", "dev", "v0")
        #expect(shown.contains("192.0.2.1/24") && shown.contains("2001:db8::1/64"))
        #expect(!shown.contains("tentative"))

        try link.delete()
        let gone = #expect(throws: SystemError.self) { try link.state() }
        #expect(gone?.errno == ENODEV)
        #expect(try !Link.exists("v1", in: space.namespace))
        let invalid = #expect(throws: SystemError.self) {
            try Link("lo", in: space.namespace).setMTU(-1)
        }
        #expect(invalid != nil)
    }

    @Test("Puts a port under a bridge and takes it out")
    func bridge() throws {
        let space = try TestNamespace()
        try space.inside("ip", "link", "add", "br0", "type", "bridge")
        try space.inside("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        let link = try Link("v0", in: space.namespace)
        try link.setMaster(try Link("br0", in: space.namespace))
        #expect(try space.inside("ip", "link", "show", "v0").contains("master br0"))
        try link.setMaster(nil)
        #expect(try !space.inside("ip", "link", "show", "v0").contains("master"))
    }

    @Test("Tells what happens to interfaces, each thing once")
    func monitor() throws {
        let space = try TestNamespace()
        let monitor = try LinkMonitor(in: space.namespace)
        #expect(monitor.links.map(\.name) == ["lo"])
        #expect(try monitor.events().isEmpty)

        try space.inside("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        #expect(waitReadable(monitor.fileDescriptor))
        #expect(try Self.told(monitor) == ["appeared v0", "appeared v1"])
        try space.inside("ip", "link", "set", "v0", "up")
        try space.inside("ip", "link", "set", "v1", "up")
        #expect(try Self.told(monitor) == ["up v0", "up v1"])
        try space.inside("ip", "link", "set", "v0", "mtu", "1400")
        #expect(try Self.told(monitor) == ["mtu v0 1400"])
        try space.inside("ip", "link", "set", "v1", "down")
        #expect(try Self.told(monitor) == ["down v0", "down v1"])
        try space.inside("ip", "link", "set", "v1", "name", "w1")
        #expect(try Self.told(monitor) == ["appeared w1", "gone v1"])
        try space.inside("ip", "link", "delete", "v0")
        #expect(try Self.told(monitor) == ["gone v0", "gone w1"])
        #expect(monitor.links.map(\.name) == ["lo"])
    }

    @Test("Tells the same after the kernel dropped notifications")
    func overflow() throws {
        let space = try TestNamespace()
        let monitor = try LinkMonitor(in: space.namespace)
        var smallest: Int32 = 1
        #expect(
            setsockopt(monitor.fileDescriptor, SOL_SOCKET, SO_RCVBUF, &smallest, 4) == 0)
        for mtu in 1280..<1300 {
            try space.inside("ip", "link", "set", "lo", "mtu", "\(mtu)")
        }
        try space.inside("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        let told = try Self.told(monitor)
        #expect(Set(told).isSuperset(of: ["mtu lo 1299", "appeared v0", "appeared v1"]))
        #expect(Set(told).count == told.count)
    }

    /// The events in words, in the order of the words.
    static func told(_ monitor: LinkMonitor) throws -> [String] {
        var words: [String] = []
        // Carrier changes are told by a work queue, a moment after the command has ended.
        while waitReadable(monitor.fileDescriptor, milliseconds: words.isEmpty ? 1500 : 300) {
            for event in try monitor.events() {
                switch event {
                case .appeared(let link): words.append("appeared \(link.name)")
                case .gone(let link): words.append("gone \(link.name)")
                case .up(let link): words.append("up \(link.name)")
                case .down(let link): words.append("down \(link.name)")
                case .mtuChanged(let link): words.append("mtu \(link.name) \(link.mtu)")
                }
            }
        }
        return words.sorted()
    }
}
