import CLinux
import ControlAPI
import Glibc
import Lab
import Wire

/// What a daemon with four ports holds: at rest, and after it has learned very many endpoints.
struct DaemonScale {
    let labName: String
    /// Endpoints to have it learn.
    let endpoints: Int

    func measure(_ report: inout ScaleReport) throws {
        try Lab.with(name: labName) { lab in
            let (daemon, source) = try start(in: lab)
            try pause(.seconds(1))
            let rest = try ProcessMemory(of: daemon.process.pid)
            func add(_ scenario: String, _ memory: ProcessMemory) {
                report.add(
                    .daemons, scenario, "resident", "MiB", [memory.resident], places: 1)
            }
            add("daemon-4-ports", rest)
            try teach(daemon, from: source)
            let full = try ProcessMemory(of: daemon.process.pid)
            add("daemon-\(endpoints)-endpoints", full)
        }
    }

    /// One host with four VMs; the first may use any address.
    private func start(in lab: Lab) throws -> (Weftd, VM) {
        let host = try lab.addHost()
        let network = LabNetwork("bench", vni: 100)
        for index in 1...4 {
            guard let address = VM.Address("10.255.0.\(index)/8") else { continue }
            try lab.addVM("vm\(index)", on: host, network: network, addresses: [address])
        }
        var configuration = lab.weftdConfiguration(for: host)
        configuration.ports[0].macs = []
        configuration.ports[0].ips = []
        return (try lab.startWeftd(on: host, configuration: configuration), host.vms[0])
    }

    /// Sends announcements of stations until the daemon knows them all. What a full queue lost is
    /// sent again, as a station's next frame would.
    private func teach(_ daemon: Weftd, from source: VM) throws {
        let client = ControlClient(socket: daemon.socketPath)
        let known = { try client.status().networks[0].endpoints }
        let sender = try source.namespace.enter { try AnnouncementSender(to: source.mac) }
        let before = try known()
        for _ in 0..<10 {
            try sender.send(endpoints)
            try pause(.milliseconds(200))
            if try known() - before >= endpoints { return }
        }
        throw LabError.timedOut(
            waitingFor: "\(endpoints) endpoints to be learned",
            detail: "\(try known() - before) are")
    }
}

/// What a process holds, MiB.
struct ProcessMemory {
    /// Pages in memory, those shared with other processes included.
    let resident: Double
    /// The same, shared pages divided by how many processes share them.
    let proportional: Double

    init(of pid: Int32) throws {
        let text = try readText("/proc/\(pid)/smaps_rollup")
        let value = { (name: String) throws -> Double in
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
            guard let words = line?.split(separator: " "), words.count > 1,
                let kibibytes = Double(words[1])
            else { throw BenchError("/proc/\(pid)/smaps_rollup has no \(name)") }
            return kibibytes / 1024
        }
        resident = try value("Rss")
        proportional = try value("Pss")
    }
}

/// Announces stations: ARP announcements (RFC 5227 section 3), each with a MAC and an IPv4 address
/// of its own.
private final class AnnouncementSender {
    private static let burst = 64
    private static let length = 60
    /// Frames per second: slow enough for a TAP's queue of a thousand.
    private static let rate = 150_000

    private let destination: MACAddress
    private let socket: Int32
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: 64 * 64, alignment: 64)
    private let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: AnnouncementSender.burst)
    private let messages = UnsafeMutablePointer<weft_message>.allocate(
        capacity: AnnouncementSender.burst)

    /// From this namespace's eth0 to a station at the same port: the daemon learns from a frame,
    /// and has nothing to deliver.
    init(to destination: MACAddress) throws {
        self.destination = destination
        socket = try openPacketSocket(interface: "eth0", receives: false)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.burst * 64)
        for index in 0..<Self.burst {
            vectors[index] = iovec(iov_base: bytes + index * 64, iov_len: Self.length)
            var message = weft_message()
            message.header.msg_iov = vectors + index
            message.header.msg_iovlen = 1
            messages[index] = message
        }
    }

    deinit {
        close(socket)
        bytes.deallocate()
        vectors.deallocate()
        messages.deallocate()
    }

    /// Announces stations 0..<count once.
    func send(_ count: Int) throws {
        let start = monotonicNanoseconds()
        for first in stride(from: 0, to: count, by: Self.burst) {
            try Interruption.check()
            let number = min(Self.burst, count - first)
            for index in 0..<number { write(station: first + index, at: bytes + index * 64) }
            sleepUntil(start + UInt64(first) * 1_000_000_000 / UInt64(Self.rate))
            // What the device refuses is as lost as what its queue drops.
            _ = weft_send_messages(socket, messages, UInt32(number))
        }
    }

    private func write(station: Int, at frame: UnsafeMutableRawPointer) {
        let address = 0x0a00_0000 | UInt32(station)
        let mac = MACAddress(bits: 0x0600_0000_0000 | UInt64(station))
        destination.store(at: frame)
        mac.store(at: frame + Ethernet.source)
        frame.store16(0x0806, Ethernet.type)
        let packet = frame + Ethernet.headerLength
        // Ethernet, IPv4, their address lengths, a request.
        frame.store64(0x0001_0800_0604_0001, Ethernet.headerLength)
        mac.store(at: packet + ARP.senderMAC)
        packet.store32(address, ARP.senderIP)
        packet.store32(address, ARP.targetIP)
    }
}
