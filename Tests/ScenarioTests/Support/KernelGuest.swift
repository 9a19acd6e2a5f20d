import FoundationEssentials
import Glibc
import Lab

/// A guest that runs programs of this machine on the kernel that scripts/install.sh fetched, with
/// init.sh as process 1, to its end.
///
/// Its hosts and VMs are namespaces of its own: it has no network card.
struct KernelGuest: CustomStringConvertible {
    /// All that it said on its console.
    let console: String
    /// What init.sh found, by name: the lines `weft-test NAME VALUE`.
    let findings: [String: String]

    /// iproute2's, for busybox's knows no namespaces, and ethtool.
    private static let tools = ["/usr/sbin/ip", "/usr/sbin/ethtool"]

    /// Whether all there is to boot it is on this machine. The programs are those of WEFT_BIN:
    /// unoptimized ones are too slow on an emulated processor.
    static var isPossible: Bool {
        guard getenv("WEFT_BIN") != nil, let modules = try? GuestImage.inputs().modules else {
            return false
        }
        return ["tun", "veth", "cls_bpf"].allSatisfy { name in
            modules.contains { $0.hasSuffix("-\(name).ko") }
        } && (tools + programs).allSatisfy { access($0, X_OK) == 0 }
    }

    private static var programs: [String] {
        ["weftd", "weft"].map { "\(Lab.programDirectory)/\($0)" }
    }

    /// Boots it and waits for its end. An emulated processor takes half a minute for what takes
    /// this machine's a few seconds.
    init(timeout: Duration = .seconds(150)) throws {
        let inputs = try GuestImage.inputs()
        let initramfs = URL.temporaryDirectory.appending(path: "weft-kernel-guest-\(getpid())")
        defer { try? FileManager.default.removeItem(at: initramfs) }
        try Data(try Self.archive(inputs)).write(to: initramfs)
        let qemu = Command(
            [
                "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", "pc", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024",
                "-no-reboot", "-kernel", inputs.kernel, "-initrd", initramfs.path,
                "-append", "console=ttyS0 quiet panic=-1", "-serial", "stdio",
            ], timeout: timeout)
        let result = try qemu.run()
        console = result.stdout + result.stderr
        findings = Self.findings(in: result.stdout)
    }

    /// The console, without the ends of very long lines.
    var description: String {
        console.split(whereSeparator: \.isNewline).map { $0.prefix(300) }.joined(separator: "\n")
    }

    private static func findings(in console: String) -> [String: String] {
        let lines = console.split(whereSeparator: \.isNewline).map {
            $0.split(separator: " ", maxSplits: 2)
        }
        let named = lines.filter { $0.count == 3 && $0[0] == "weft-test" }
        return Dictionary(named.map { (String($0[1]), String($0[2])) }) { $1 }
    }

    // MARK: - What it boots

    private static func archive(_ inputs: GuestImage.Inputs) throws -> [UInt8] {
        var archive = Tree()
        for path in ["dev", "proc", "run", "sys", "tmp"] { archive.addDirectory(path) }
        try archive.copy(supportFile("Guest/init.sh"), to: "init", executable: true)
        try archive.copy(inputs.busybox, to: "bin/busybox", executable: true)
        for module in inputs.modules {
            try archive.copy(module, to: "modules/\(name(of: module))")
        }
        for program in programs {
            try archive.copy(program, to: "bin/\(name(of: program))", executable: true)
        }
        for tool in tools { try archive.copy(tool, to: tool, executable: true) }
        // Libraries are where the programs look for them on this machine.
        for library in try libraries(of: programs + tools) {
            try archive.copy(library, to: library, executable: true)
        }
        return archive.finished()
    }

    private static func name(of path: String) -> String {
        URL(filePath: path).lastPathComponent
    }

    /// All shared libraries of some programs, and the loader.
    private static func libraries(of programs: [String]) throws -> Set<String> {
        let words = try Command(["ldd"] + programs).check().split(whereSeparator: \.isWhitespace)
        // "libc.so.6 => /lib/libc.so.6 (0x7f00)"; the programs' own names end with a colon.
        return Set(words.filter { $0.hasPrefix("/") && !$0.hasSuffix(":") }.map(String.init))
    }
}

/// An initramfs whose directories come with the files in them.
private struct Tree {
    private var archive = Initramfs()
    private var directories: Set<String> = []

    mutating func addDirectory(_ path: String) {
        guard !path.isEmpty, directories.insert(path).inserted else { return }
        archive.addDirectory(path)
    }

    mutating func copy(_ source: String, to path: String, executable: Bool = false) throws {
        let names = path.split(separator: "/")
        for count in 1..<names.count {
            addDirectory(names[..<count].joined(separator: "/"))
        }
        let contents = try Data(contentsOf: URL(filePath: source))
        archive.addFile(
            names.joined(separator: "/"), contents: Array(contents), executable: executable)
    }

    func finished() -> [UInt8] { archive.finished() }
}
