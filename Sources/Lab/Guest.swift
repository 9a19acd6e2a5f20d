import Glibc
public import Wire

/// A real virtual machine: a Linux under QEMU, on a TAP that QEMU owns.
///
/// QEMU emulates the processor (TCG), so it runs wherever the lab does, slowly. The TAP is on the
/// host under the guest's name, where `weftd` attaches it as a port of kind interface, the way
/// libvirt and OpenStack hand over a TAP.
public final class Guest {
    /// Its name, unique in the lab; at most 15 bytes.
    public let name: String
    /// The host that it runs on.
    public unowned let host: Host
    /// The network that its card is in.
    public let network: LabNetwork
    /// Its card's MAC.
    public let mac: MACAddress
    /// Its card's addresses.
    public let addresses: [VM.Address]

    /// The QEMU process; its log is empty unless something is wrong.
    public let process: LabProcess
    private let console: Console

    init(
        name: String, host: Host, network: LabNetwork, mac: MACAddress, addresses: [VM.Address],
        image: GuestImage
    ) throws {
        self.name = name
        self.host = host
        self.network = network
        self.mac = mac
        self.addresses = addresses
        let lab = host.lab
        let socketPath = "\(lab.directory)/\(name).console"
        let batch = "tuntap add dev \(name) mode tap vnet_hdr\nlink set \(name) up\n"
        try Command(["ip", "-n", host.namespace.name, "-batch", "-"], input: batch).check()

        console = try Console(path: socketPath)
        let words =
            ["console=ttyS0", "quiet", "panic=-1"] + addresses.map { "weft.address=\($0)" }
        process = try host.spawn(
            [
                "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", "pc", "-accel", "tcg", "-m", "128", "-no-reboot",
                "-kernel", image.kernel, "-initrd", image.initramfs,
                "-append", words.joined(separator: " "),
                "-chardev", "socket,id=console,path=\(socketPath)",
                "-serial", "chardev:console",
                "-netdev", "tap,id=net,ifname=\(name),script=no,downscript=no,vhost=off",
                "-device",
                "virtio-net-pci,netdev=net,mac=\(mac),"
                    + "host_mtu=\(lab.overlayMTU(of: network)),romfile=",
            ], name: name)
    }

    /// Waits until the guest has booted and its network is up.
    public func waitUntilReady(timeout: Duration = .seconds(60)) throws {
        _ = try read(through: GuestImage.ready, timeout: timeout)
    }

    /// Hands the guest's shell a line; `finish` has what came of it.
    ///
    /// Guests work at the same time if each is started before the first is waited for.
    public func start(_ line: String) throws {
        try console.write(line + "\n")
    }

    /// Waits for the end of the line that was handed over first. Standard error is in `stdout`.
    public func finish(timeout: Duration = .seconds(20)) throws -> CommandResult {
        let output = try read(through: GuestImage.status, timeout: timeout)
        let status = try read(through: "\n", timeout: timeout)
        return CommandResult(
            status: Int32(status.filter(\.isNumber)) ?? -1, timedOut: false, stdout: output,
            stderr: "")
    }

    /// Takes what the guest says up to and with `end`; returns what was before it.
    private func read(through end: String, timeout: Duration) throws -> String {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let text = console.take(through: end) { return text }
            try Interruption.check()
            guard process.isRunning else {
                throw LabError.processEnded(
                    "QEMU of \(name)", log: console.pending + process.logTail())
            }
            guard ContinuousClock.now < deadline else {
                throw LabError.timedOut(
                    waitingFor: "'\(end)' from \(name)", detail: console.pending)
            }
            try console.receive()
        }
    }

    /// Runs a line in the guest's shell and waits for its end.
    public func run(_ line: String, timeout: Duration = .seconds(20)) throws -> CommandResult {
        try start(line)
        return try finish(timeout: timeout)
    }
}

/// The far end of a guest's serial line. It is there before QEMU, which connects to it: what a
/// guest says while nobody reads is kept.
private final class Console {
    private let path: String
    private let listener: Int32
    private var socket: Int32?
    private var received: [UInt8] = []

    init(path: String) throws {
        self.path = path
        guard let listener = listenOnUnixSocket(path) else {
            throw LabError.system(call: "listen \(path)", code: errno)
        }
        self.listener = listener
    }

    deinit {
        close(listener)
        if let socket { close(socket) }
    }

    /// What was received and not yet taken.
    var pending: String { String(decoding: received, as: UTF8.self) }

    func write(_ text: String) throws {
        guard let socket else { throw LabError.system(call: "write console", code: ENOTCONN) }
        try writeAll(socket, Array(text.utf8))
    }

    /// Takes what was received up to and with `end`, and returns what was before it.
    func take(through end: String) -> String? {
        guard let range = received.firstRange(of: Array(end.utf8)) else { return nil }
        let text = String(decoding: received[..<range.lowerBound], as: UTF8.self)
        received.removeSubrange(..<range.upperBound)
        return text
    }

    /// Takes what is there, after waiting for it for up to 20 ms.
    func receive() throws {
        var wait = pollfd(fd: socket ?? listener, events: Int16(POLLIN), revents: 0)
        guard poll(&wait, 1, 20) > 0 else { return }
        guard let socket else {
            let accepted = accept(listener, nil, nil)
            guard accepted >= 0 else { return }
            _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
            socket = accepted
            return
        }
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(socket, &chunk, chunk.count)
        // At its end nothing more comes, and the reader notices that QEMU is gone.
        if count > 0 { received += chunk[..<count] }
    }
}

extension Lab {
    /// Whether this machine has what guests need: QEMU, busybox, and the kernel that
    /// scripts/install.sh test fetches.
    public static var canBootGuests: Bool { GuestImage.isAvailable }

    /// Adds a guest and lets it boot; `waitUntilReady` waits for that.
    ///
    /// Without a MAC it gets 02:00 and the octets of its first IPv4 address, as VMs do.
    @discardableResult
    public func addGuest(
        _ name: String, on host: Host, network: LabNetwork, addresses: [VM.Address],
        mac: MACAddress? = nil
    ) throws -> Guest {
        let mac = try admit(name, addresses: addresses, mac: mac)
        let image = try guestImage ?? GuestImage(in: directory)
        guestImage = image
        let guest = try Guest(
            name: name, host: host, network: network, mac: mac, addresses: addresses, image: image)
        host.guests.append(guest)
        return guest
    }

    /// What is left for a VM's packets within the underlay's: VXLAN adds an Ethernet header, its
    /// own, UDP's, and that of the underlay's IP (RFC 7348 section 5).
    public func overlayMTU(of network: LabNetwork) -> Int {
        network.mtu ?? options.mtu - (options.ipv6Underlay ? 70 : 50)
    }
}
