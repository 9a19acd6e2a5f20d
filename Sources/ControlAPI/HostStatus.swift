/// The daemon as a process, as the kernel accounts for it.
public struct ProcessStatus: Codable, Sendable, Equatable {
    /// CPU time of all its threads, user and system.
    public var cpuSeconds: Double
    /// When it started, in seconds since 1970.
    public var startTimeSeconds: Double
    /// Bytes of memory that it has.
    public var residentBytes: UInt64
    /// Bytes of address space that it has.
    public var virtualBytes: UInt64
    /// Its threads.
    public var threads: Int
    /// Its open file descriptors.
    public var openFiles: Int
    /// How many of those it may have.
    public var maxFiles: UInt64

    /// A process of these numbers.
    public init(
        cpuSeconds: Double, startTimeSeconds: Double, residentBytes: UInt64, virtualBytes: UInt64,
        threads: Int, openFiles: Int, maxFiles: UInt64
    ) {
        self.cpuSeconds = cpuSeconds
        self.startTimeSeconds = startTimeSeconds
        self.residentBytes = residentBytes
        self.virtualBytes = virtualBytes
        self.threads = threads
        self.openFiles = openFiles
        self.maxFiles = maxFiles
    }
}

/// Where this host meets the provider's network, and what the provider holds back there.
public struct UnderlayStatus: Codable, Sendable, Equatable {
    /// The interface that has the underlay's address.
    public var interface: String
    /// Of instances on EC2: packets that were queued or dropped because more was sent or received
    /// than the instance may, by the allowance: `bw_in`, `bw_out`, `pps`, `conntrack`, `linklocal`.
    public var allowanceExceeded: [String: UInt64]
    /// Connections that EC2's tracking still has room for, where it tells.
    public var conntrackAvailable: UInt64?

    /// What the interface's driver tells of allowances.
    public init(
        interface: String, allowanceExceeded: [String: UInt64] = [:],
        conntrackAvailable: UInt64? = nil
    ) {
        self.interface = interface
        self.allowanceExceeded = allowanceExceeded
        self.conntrackAvailable = conntrackAvailable
    }
}

extension Prometheus {
    static func addUnderlay(_ underlay: UnderlayStatus?, to page: inout MetricsPage) {
        let interface = [("interface", underlay?.interface ?? "")]
        page.metric(
            "weft_underlay_allowance_exceeded_total", .counter,
            "Packets that EC2 queued or dropped because an allowance was exceeded.")
        for (name, count) in (underlay?.allowanceExceeded ?? [:]).sorted(by: { $0.key < $1.key }) {
            page.sample(interface + [("allowance", name)], count)
        }
        page.metric(
            "weft_underlay_conntrack_available", .gauge,
            "Connections that EC2's tracking still has room for.")
        if let count = underlay?.conntrackAvailable { page.sample(interface, count) }
    }

    /// Under the names that Prometheus's own clients give them.
    static func addProcess(_ process: ProcessStatus?, to page: inout MetricsPage) {
        func add(
            _ name: String, _ kind: MetricsPage.Kind, _ help: String,
            _ value: (ProcessStatus) -> String
        ) {
            page.metric(name, kind, help)
            if let process { page.sample([], value(process)) }
        }
        add("process_cpu_seconds_total", .counter, "User and system CPU time.") {
            "\($0.cpuSeconds)"
        }
        add("process_start_time_seconds", .gauge, "Start of the process since 1970.") {
            "\($0.startTimeSeconds)"
        }
        add("process_resident_memory_bytes", .gauge, "Resident memory.") { "\($0.residentBytes)" }
        add("process_virtual_memory_bytes", .gauge, "Address space.") { "\($0.virtualBytes)" }
        add("process_threads", .gauge, "Threads.") { "\($0.threads)" }
        add("process_open_fds", .gauge, "Open file descriptors.") { "\($0.openFiles)" }
        add("process_max_fds", .gauge, "Most file descriptors that may be open.") {
            "\($0.maxFiles)"
        }
    }
}
