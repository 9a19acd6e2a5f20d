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

/// Two stations and what is between them.
struct Bed {
    /// What VXLAN over IPv4 leaves of 1500.
    static let overlayMTU = 1450

    let stations: [Station]
    /// The daemons whose processor time is looked at.
    let daemons: [Int32]
    let expectedMTU: Int

    var source: Station { stations[0] }
    var destination: Station { stations[1] }

    /// Lets both ends, and the overlay, find out who is where. Throws if frames do not pass, or if
    /// the ends' MTU is not what the comparison rests on.
    func waitUntilReachable() throws {
        for station in stations {
            let mtu = try Command(["cat", "/sys/class/net/eth0/mtu"])
                .inside(station.namespace).check()
            guard mtu == "\(expectedMTU)\n" else {
                throw BenchError("\(station.name) has MTU \(mtu), not \(expectedMTU)")
            }
        }
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
