import Glibc

/// What guests boot: a Debian kernel as scripts/install.sh fetched it, and an initramfs of
/// busybox, the modules of a virtio network card, and a script that serves the console.
package struct GuestImage {
    /// The kernel's file.
    let kernel: String
    /// The initramfs's file.
    let initramfs: String

    /// The files to boot a guest from.
    package struct Inputs {
        /// The kernel.
        package let kernel: String
        /// A busybox that needs no libraries.
        package let busybox: String
        /// The kernel's modules, in the order in which they load.
        package let modules: [String]
    }

    /// What the script says when the guest's network is up.
    static let ready = "weft-guest: ready"
    /// What it says after each command, before the command's status.
    static let status = "weft-guest: status "

    /// Where scripts/install.sh puts the kernel.
    static var cache: String {
        "\(getenv("WEFT_CACHE").map { String(cString: $0) } ?? "/var/cache/weft")/guest"
    }

    /// Whether all there is to boot a guest is on this machine.
    static var isAvailable: Bool { (try? inputs()) != nil }

    /// Builds the initramfs in a directory.
    init(in directory: String) throws {
        let inputs = try Self.inputs()
        kernel = inputs.kernel
        initramfs = "\(directory)/initramfs"

        var archive = Initramfs()
        for path in ["bin", "dev", "modules", "proc", "sys", "tmp"] { archive.addDirectory(path) }
        archive.addFile("bin/busybox", contents: try readBytes(inputs.busybox), executable: true)
        archive.addFile("init", contents: Array(Self.script.utf8), executable: true)
        for module in inputs.modules {
            let name = module.split(separator: "/").last ?? ""
            archive.addFile("modules/\(name)", contents: try readBytes(module))
        }
        try writeBytes(initramfs, archive.finished())
    }

    /// Finds them on this machine; throws `LabError.missingProgram` for what is not there.
    package static func inputs() throws -> Inputs {
        let (kernel, busybox) = ("\(cache)/vmlinuz", "/bin/busybox")
        for file in [kernel, busybox, "/usr/bin/qemu-system-x86_64"]
        where access(file, R_OK) != 0 {
            throw LabError.missingProgram(file)
        }
        let modules = directoryEntries("\(cache)/modules").filter { $0.hasSuffix(".ko") }.sorted()
        guard !modules.isEmpty else { throw LabError.missingProgram("\(cache)/modules") }
        return Inputs(
            kernel: kernel, busybox: busybox, modules: modules.map { "\(cache)/modules/\($0)" })
    }

    /// Process 1. Addresses come with the kernel's command line; commands with the console, a
    /// line each.
    private static let script = """
        #!/bin/busybox sh
        /bin/busybox --install -s /bin
        export PATH=/bin
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        stty -echo -onlcr
        for module in /modules/*.ko; do insmod $module; done
        ip link set lo up
        for word in $(cat /proc/cmdline); do
            case $word in
                weft.address=*) ip addr add ${word#weft.address=} dev eth0 ;;
            esac
        done
        ip link set eth0 up
        echo '\(ready)'
        while read -r line; do
            sh -c "$line"
            echo "\(status)$?"
        done
        poweroff -f

        """
}
