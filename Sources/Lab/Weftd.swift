import Glibc

/// A running `weftd` of a host.
public final class Weftd {
    /// The host that it runs on.
    public unowned let host: Host
    /// The process and its log.
    public let process: LabProcess
    /// The Unix socket of its API.
    public let socketPath: String
    /// Its configuration file.
    public let configurationPath: String

    init(host: Host, process: LabProcess, socketPath: String, configurationPath: String) {
        self.host = host
        self.process = process
        self.socketPath = socketPath
        self.configurationPath = configurationPath
    }

    /// Waits until the API answers and VMs have their devices, every VM of the host unless some are
    /// named, then sets up the devices that the daemon made.
    ///
    /// Throws `LabError.processEnded` with the end of the log if the daemon gives up.
    public func waitUntilReady(for vms: [VM]? = nil, timeout: Duration = .seconds(10)) throws {
        let deadline = ContinuousClock.now + timeout
        let vms = (vms ?? host.vms).filter { $0.kind == .tap }
        try wait(until: deadline, for: "the API of weftd on \(host.name)") {
            guard let client = connectUnixSocket(socketPath) else { return false }
            close(client)
            return true
        }
        for vm in vms {
            try wait(until: deadline, for: "the device of \(vm.name) on \(host.name)") {
                try vm.namespace.hasInterface("eth0")
            }
            try vm.configureInterface()
        }
    }

    private func wait(
        until deadline: ContinuousClock.Instant, for what: String, _ condition: () throws -> Bool
    ) throws {
        while try !condition() {
            guard process.isRunning else {
                throw LabError.processEnded("weftd on \(host.name)", log: process.logTail())
            }
            guard ContinuousClock.now < deadline else {
                throw LabError.timedOut(waitingFor: what, detail: process.logTail())
            }
            try pause(.milliseconds(5))
        }
    }
}

extension Lab {
    /// Where `weftd` and its companions are: `WEFT_BIN`, or else beside the running program, or in
    /// the `sbin` beside that one's `bin`, where a package has it.
    public static var programDirectory: String {
        if let directory = getenv("WEFT_BIN") { return String(cString: directory) }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return "." }
        let path = String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let installed = "\(directory)/../sbin"
        let isInstalled =
            access("\(directory)/weftd", X_OK) != 0 && access("\(installed)/weftd", X_OK) == 0
        return isInstalled ? installed : directory
    }

    /// Whether a program of this name is in `programDirectory`, for tests that need one.
    public static func hasProgram(_ name: String) -> Bool {
        access("\(programDirectory)/\(name)", X_OK) == 0
    }

    /// The configuration of a host for the VMs that the lab has now, to be changed before
    /// `startWeftd` where a test wants something else.
    public func weftdConfiguration(for host: Host) -> WeftdConfiguration {
        WeftdConfiguration(of: host, in: self)
    }

    /// Starts `weftd` on a host and waits until its ports are up.
    ///
    /// To start several at once pass `wait: false` and call `waitUntilReady` on each. A `launcher`
    /// is a command that runs what follows it in its place, and `inheriting` what it inherits.
    @discardableResult
    public func startWeftd(
        on host: Host, configuration: WeftdConfiguration? = nil, arguments: [String] = [],
        launcher: [String] = [], inheriting: [Int32] = [], wait: Bool = true
    ) throws -> Weftd {
        let program = "\(Self.programDirectory)/weftd"
        guard access(program, X_OK) == 0 else { throw LabError.missingProgram(program) }
        let configurationPath = "\(directory)/\(host.name).yaml"
        let socketPath = "\(directory)/\(host.name).sock"
        try writeFile(
            configurationPath, (configuration ?? weftdConfiguration(for: host)).yaml)
        unlink(socketPath)
        let process = try host.spawn(
            launcher + [
                program, "--config", configurationPath, "--socket", socketPath,
                "--state", "\(directory)/\(host.name).state.json",
            ] + arguments,
            name: "weftd", inheriting: inheriting)
        let weftd = Weftd(
            host: host, process: process, socketPath: socketPath,
            configurationPath: configurationPath)
        if wait { try weftd.waitUntilReady() }
        return weftd
    }

    /// Starts `weftd` on every host at once and waits until the ports of all are up.
    @discardableResult
    public func startWeftdEverywhere(arguments: [String] = []) throws -> [Weftd] {
        let daemons = try hosts.map { try startWeftd(on: $0, arguments: arguments, wait: false) }
        for daemon in daemons { try daemon.waitUntilReady() }
        return daemons
    }
}
