import FoundationEssentials
import Lab
import TestFrames
import Testing
import Wire

/// Where traffic starts or ends: a VM, or a host with an address in the overlay.
struct Station {
    let name: String
    let namespace: NetworkNamespace
    /// Its addresses, the one that others use first.
    let addresses: [String]
    private let spawner: ([String], String) throws -> LabProcess

    /// A VM, at its own addresses unless others are given.
    init(_ vm: VM, addresses: [String]? = nil) {
        name = vm.name
        namespace = vm.namespace
        self.addresses = addresses ?? vm.addresses.map { "\($0.address)" }
        spawner = { try vm.spawn($0, name: $1) }
    }

    /// A host that has an address in the overlay itself.
    init(_ host: Host, _ addresses: String...) {
        name = host.name
        namespace = host.namespace
        self.addresses = addresses
        spawner = { try host.spawn($0, name: $1) }
    }

    func spawn(_ arguments: [String], name: String) throws -> LabProcess {
        try spawner(arguments, name)
    }
}

extension Scenario {
    /// Whether each of a few pings to every address of a station is answered, once.
    func reaches(
        _ from: Station, _ to: Station, count: Int = 3, size: Int = 56
    ) throws -> Bool {
        try to.addresses.allSatisfy { address in
            let ping = Command.ping(address, count: count, interval: 0.05, patience: 2)
            let sized = Command(ping.arguments + ["-s", "\(size)"], timeout: ping.timeout)
            return try PingResult(output: sized.inside(from.namespace).run().stdout)?.isComplete
                ?? false
        }
    }

    /// Expects that two stations reach each other, at all of their addresses.
    func expectReachable(
        _ one: Station, _ other: Station, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(
            try reaches(one, other), "\(one.name) to \(other.name)",
            sourceLocation: sourceLocation)
        #expect(
            try reaches(other, one), "\(other.name) to \(one.name)",
            sourceLocation: sourceLocation)
    }

    /// Whether a single ping is answered.
    func answers(_ address: String, from station: Station, patience: Int = 1) throws -> Bool {
        try Command.ping(address, patience: patience).inside(station.namespace).run().succeeded
    }
}

// MARK: - TCP

/// Two programs that exchange pseudo-random bytes over one connection, both ways at once.
struct Transfer {
    let listener: LabProcess
    let connector: LabProcess
    let bytes: Int

    /// What one side prints when it is done.
    private struct Report: Decodable {
        var sent: String
        var received: String
        var bytes: Int
    }

    /// Waits for the end and expects that what arrived on each side is what the other sent.
    func finish(
        within seconds: Double = 30, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let ended = try eventually(within: seconds) {
            !listener.isRunning && !connector.isRunning
        }
        #expect(ended, "the transfer has not ended", sourceLocation: sourceLocation)
        guard let there = report(listener), let here = report(connector) else {
            Issue.record(
                "the transfer failed: \(listener.logTail(lines: 3)) \(connector.logTail(lines: 3))",
                sourceLocation: sourceLocation)
            return
        }
        #expect(there.bytes == bytes && here.bytes == bytes, sourceLocation: sourceLocation)
        #expect(there.received == here.sent, "towards the listener", sourceLocation: sourceLocation)
        #expect(here.received == there.sent, "from the listener", sourceLocation: sourceLocation)
    }

    private func report(_ process: LabProcess) -> Report? {
        try? JSONDecoder().decode(Report.self, from: Data(process.logTail(lines: 1).utf8))
    }
}

extension Scenario {
    /// Begins a transfer of so many megabytes each way; spread over some seconds, if given.
    func beginTransfer(
        _ from: Station, _ to: Station, address: Int = 0, megabytes: Int, seconds: Double = 0
    ) throws -> Transfer {
        let bytes = megabytes << 20
        let port = "\(7000 + Int.random(in: 0..<1000))"
        let program = ["python3", script("transfer.py")]
        let amount = ["\(bytes)", "\(seconds)"]
        let listener = try to.spawn(
            program + ["listen", port] + amount, name: programName("listen"))
        let connector = try from.spawn(
            program + ["connect", to.addresses[address], port] + amount,
            name: programName("connect"))
        return Transfer(listener: listener, connector: connector, bytes: bytes)
    }

    /// Transfers so many megabytes each way, to each address of the other side in turn.
    func transfer(
        _ from: Station, _ to: Station, megabytes: Int = 100,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for address in to.addresses.indices {
            try beginTransfer(from, to, address: address, megabytes: megabytes)
                .finish(sourceLocation: sourceLocation)
        }
    }
}

// MARK: - UDP

extension Scenario {
    /// Sends numbered datagrams, `batch` of them in one superframe, and expects that none arrives
    /// changed and that nearly all arrive.
    func expectDatagramsIntact(
        _ from: Station, _ to: Station, address: Int = 0, count: Int = 6000, length: Int = 1200,
        batch: Int = 40, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        struct Report: Decodable {
            var intact: Int
            var broken: Int
        }
        let program = ["python3", script("datagrams.py")]
        let receiver = try to.spawn(
            program + ["receive", "7100", "\(count)"], name: programName("datagrams"))
        #expect(try eventually { receiver.logTail().contains("ready") })
        let numbers = [count, length, batch].map(String.init)
        try Command(program + ["send", to.addresses[address], "7100"] + numbers)
            .inside(from.namespace).check()
        #expect(try eventually(within: 15) { !receiver.isRunning })
        let report = try JSONDecoder().decode(
            Report.self, from: Data(receiver.logTail(lines: 1).utf8))
        #expect(report.broken == 0, sourceLocation: sourceLocation)
        #expect(report.intact * 10 >= count * 9, "\(report)", sourceLocation: sourceLocation)
    }
}

// MARK: - By hand

extension Scenario {
    /// Sends frames as they are from `eth0` of a VM.
    func send(_ frames: [[UInt8]], from vm: VM) throws {
        try vm.namespace.sh("python3", script("frames.py"), "eth0", input: lines(frames))
    }

    /// Sends frames through a TAP of a host, as the QEMU that holds it does: each with the ten
    /// bytes of its virtio_net_hdr.
    func send(_ frames: [(header: [UInt8], frame: [UInt8])], through tap: String, on host: Host)
        throws
    {
        try host.namespace.sh(
            "python3", script("tap.py"), tap, input: lines(frames.map { $0.header + $0.frame }))
    }

    /// Sends UDP payloads as they are to the VXLAN port of a host.
    func send(_ payloads: [[UInt8]], toVTEPOf host: Host, from sender: Host) throws {
        try sender.namespace.sh(
            "python3", script("payloads.py"), "\(host.vtep)", "4789", input: lines(payloads))
    }

    private func lines(_ items: [[UInt8]]) -> String {
        items.map { $0.map { byte in hexadecimal(byte) }.joined() + "\n" }.joined()
    }

    private func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

extension FrameBuilder {
    /// What one VM may send to another over IPv4.
    init(_ from: VM, _ to: VM) {
        self.init()
        sourceMAC = from.mac
        destinationMAC = to.mac
        source = from.addresses[0].address
        destination = to.addresses[0].address
    }
}

/// A VXLAN payload (RFC 7348 section 5).
func vxlan(flags: UInt8 = 0x08, vni: UInt32, _ frame: [UInt8]) -> [UInt8] {
    [flags, 0, 0, 0] + withUnsafeBytes(of: (vni << 8).bigEndian, Array.init) + frame
}
