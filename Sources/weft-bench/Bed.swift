import BenchSupport
import Glibc
import Lab
import Wire

/// One end of a measurement: a VM, or a host where there is no overlay. Its device is `eth0`.
struct Station {
    let name: String
    let namespace: NetworkNamespace
    let address: IPv4Address
    let mac: MACAddress
    /// Starts a program there that stays, under a name for its log.
    let spawn: ([String], String) throws -> LabProcess

    init(_ host: Host) {
        name = host.name
        namespace = host.namespace
        address = host.address4
        mac = host.mac
        spawn = { try host.spawn($0, name: $1) }
    }

    init(_ vm: VM) {
        guard case .v4(let address) = vm.addresses[0].address else {
            preconditionFailure("the bench's VMs have IPv4 addresses")
        }
        name = vm.name
        namespace = vm.namespace
        self.address = address
        mac = vm.mac
        spawn = { try vm.spawn($0, name: $1) }
    }
}

/// Stations and what is between them.
struct Bed {
    /// The sender, then those that it sends to.
    let stations: [Station]
    /// Where the overlay's packets, or without one the stations' own, are on the wire: `eth0` of
    /// the first two hosts.
    let hosts: [NetworkNamespace]
    /// The processes of the system whose processor time is looked at.
    let daemons: [Int32]
    let expectedMTU: Int
    /// Whether the stations are on one host, so that nothing crosses the wire.
    let isShared: Bool

    var source: Station { stations[0] }
    var destination: Station { stations[1] }

    /// A stage's stations, as the lab's hosts or VMs are them.
    init(_ stations: [Station], in lab: Lab, stage: Scenario.Stage, overhead: Int, daemons: [Int32])
    {
        self.stations = stations
        hosts = lab.hosts.map(\.namespace)
        self.daemons = daemons
        expectedMTU = stage.mtu - overhead
        isShared = stage.isShared
    }

    /// Runs `body`, and says what it took of the machine and of the wire.
    func measure<Result>(_ body: () throws -> Result) throws -> (result: Result, cost: Cost) {
        // Outside of what is timed: reading the counter is a process of its own.
        let before = try packetsOnWire()
        let (result, usage) = try Usage.measure(daemons: daemons, body)
        let packets = try packetsOnWire() - before
        return (result, Cost(usage: usage, megapackets: isShared ? nil : Double(packets) / 1e6))
    }

    /// What the first host's `eth0` has sent and received. Superframes are cut before it: these
    /// are packets of the wire's size.
    private func packetsOnWire() throws -> Int {
        let statistics = "/sys/class/net/eth0/statistics"
        let text = try Command(["cat", "\(statistics)/tx_packets", "\(statistics)/rx_packets"])
            .inside(hosts[0]).check()
        let numbers = text.split(separator: "\n").compactMap { Int($0) }
        guard numbers.count == 2 else { throw BenchError("eth0 counts '\(text)'") }
        return numbers[0] + numbers[1]
    }

    /// Lets all ends, and the overlay, find out who is where. Throws if frames do not pass, or if
    /// the ends' MTU is not what the comparison rests on.
    func waitUntilReachable() throws {
        for station in stations {
            let mtu = try Command(["cat", "/sys/class/net/eth0/mtu"])
                .inside(station.namespace).check()
            guard mtu == "\(expectedMTU)\n" else {
                throw BenchError("\(station.name) has MTU \(mtu), not \(expectedMTU)")
            }
        }
        for station in stations.dropFirst() { try waitUntilReachable(station) }
    }

    private func waitUntilReachable(_ destination: Station) throws {
        for _ in 0..<5 {
            let ping = Command.ping(destination.address, count: 2, interval: 0.1, patience: 1)
            if try ping.inside(source.namespace).run().succeeded { return }
        }
        throw LabError.timedOut(
            waitingFor: "\(destination.name) to answer \(source.name)", detail: "")
    }

    /// Starts a helper and waits until its log says `ready`.
    func startHelper(
        _ arguments: [String], on station: Station, name: String
    ) throws -> LabProcess {
        let process = try station.spawn([Self.program] + arguments, name)
        let deadline = ContinuousClock.now + .seconds(5)
        while process.logTail() != "ready" {
            guard process.isRunning else {
                throw LabError.processEnded("\(name) in \(station.name)", log: process.logTail())
            }
            guard ContinuousClock.now < deadline else {
                throw LabError.timedOut(
                    waitingFor: "\(name) in \(station.name)", detail: process.logTail())
            }
            try pause(.milliseconds(5))
        }
        return process
    }

    /// This program, for its own subcommands in other namespaces.
    static var program: String { "\(Lab.programDirectory)/weft-bench" }
}
