import ControlAPI
import Glibc
import Lab
import Synchronization
import Testing

import struct FoundationEssentials.URL

/// All scenarios: real daemons, real traffic, in network namespaces of their own. One at a time,
/// for each wants the machine's CPUs; skipped where there is no root or no `weftd` to run.
@Suite(
    "Scenarios", .serialized,
    .enabled(if: geteuid() == 0, "network namespaces need root"),
    .enabled(if: Lab.hasProgram("weftd"), "WEFT_BIN names the folder of weftd"))
enum Scenarios {}

/// A lab while a test uses it, and the words that scenarios are told in.
final class Scenario {
    static let blue = LabNetwork("blue", vni: 100)

    let lab: Lab
    /// The daemon of each host that has one.
    private(set) var daemons: [Weftd] = []
    private var programs = 0

    init(_ lab: Lab) { self.lab = lab }

    /// Adds `count` hosts.
    func hosts(_ count: Int) throws -> [Host] { try (0..<count).map { _ in try lab.addHost() } }

    /// Adds a VM to network blue: number 7 has 10.0.0.7 and, if `ipv6`, fd01::7.
    func vm(
        _ name: String, _ number: Int, on host: Host, ipv6: Bool = false, kind: VM.Kind = .tap,
        network: LabNetwork = Scenario.blue
    ) throws -> VM {
        let addresses = ["10.0.0.\(number)/24"] + (ipv6 ? ["fd01::\(number)/64"] : [])
        return try lab.addVM(
            name, on: host, network: network, addresses: addresses.compactMap(VM.Address.init),
            kind: kind)
    }

    /// Starts `weftd` on a host, with a changed configuration if the scenario wants one.
    ///
    /// - Parameter settingUp: Whether to wait until it is ready and give the devices their
    ///   addresses.
    /// - Parameter service: Who plays systemd, if somebody does.
    @discardableResult
    func start(
        _ host: Host, settingUp: Bool = true, by service: SystemdRole? = nil,
        _ change: (inout WeftdConfiguration) -> Void = { _ in }
    ) throws -> Weftd {
        var configuration = lab.weftdConfiguration(for: host)
        change(&configuration)
        let daemon = try lab.startWeftd(
            on: host, configuration: configuration, launcher: service?.launcher() ?? [],
            inheriting: service?.inheritance ?? [], wait: settingUp)
        daemons.removeAll { $0.host === host }
        daemons.append(daemon)
        guard settingUp else { return daemon }
        let mtu = try status(host).networks.first?.mtu ?? 1500
        // The daemon sees to its own devices; the far end of a veth is the VM's.
        for vm in host.vms where vm.kind == .veth {
            try vm.namespace.sh("ip", "link", "set", "eth0", "mtu", "\(mtu)")
        }
        return daemon
    }

    /// Starts `weftd` on every host.
    func startAll(_ change: (inout WeftdConfiguration) -> Void = { _ in }) throws {
        for host in lab.hosts { try start(host, change) }
    }

    /// A name for a program's log that no other has.
    func programName(_ kind: String) -> String {
        programs += 1
        return "\(kind)-\(programs)"
    }
}

/// Builds a lab, lets `body` play in it, and at the end audits the books of every daemon.
func scenario(
    _ options: LabOptions = LabOptions(), sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Scenario) throws -> Void
) throws {
    let number = scenarioCount.add(1, ordering: .relaxed).newValue
    try Lab.with(name: "sc\(getpid())-\(number)", options: options) { lab in
        let scenario = Scenario(lab)
        do {
            try body(scenario)
        } catch {
            scenario.attachLogs(to: error)
            throw error
        }
        try scenario.expectConservation(sourceLocation: sourceLocation)
    }
}

private let scenarioCount = Atomic<Int>(0)

extension Scenario {
    /// Says beside an error what the daemons said.
    fileprivate func attachLogs(to error: any Error) {
        for daemon in daemons {
            Issue.record("\(error)\n\(daemon.host.name): \(daemon.process.logTail())")
        }
    }
}

/// Tries until `condition` holds, `seconds` at most.
func eventually(within seconds: Double = 3, _ condition: () throws -> Bool) throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        try pause(.milliseconds(20))
    }
    return try condition()
}

/// The path of a Python script of this target.
func script(_ name: String) -> String { supportFile("Python/\(name)") }

/// The path of a file beside this one.
func supportFile(_ path: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: path).path
}

/// The path of a page under docs.
func documentation(_ name: String) -> String {
    var root = URL(filePath: #filePath)
    for _ in 0..<4 { root = root.deletingLastPathComponent() }
    return root.appending(path: "docs/\(name)").path
}

extension NetworkNamespace {
    /// Runs a command inside; throws if it fails.
    @discardableResult
    func sh(_ arguments: String..., input: String? = nil) throws -> String {
        try Command(arguments, input: input).inside(self).check()
    }
}
