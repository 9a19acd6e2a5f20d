// What the compiler made of the packet's way. Nothing in a language says that a call is inlined or
// that a value needs no reference count, so this looks at the machine code of a release build.
//
//     swift build -c release --product weftd
//     WEFT_BIN=.build/release swift test --filter HotPathTests

import Foundation
import Testing

/// The built daemon, where there is one to look at.
private let binary: String? = {
    guard let folder = ProcessInfo.processInfo.environment["WEFT_BIN"] else { return nil }
    let path = folder + "/weftd"
    let hasTools = FileManager.default.isExecutableFile(atPath: "/usr/bin/objdump")
    return hasTools && FileManager.default.isReadableFile(atPath: path) ? path : nil
}()

@Suite(
    "Hot path",
    .enabled(
        if: binary != nil, "needs objdump, and WEFT_BIN: the folder of a release build's weftd"))
struct HotPathTests {
    /// The functions that every frame goes through, as they are told by the demangler without the
    /// discriminators of private names. Each must be there: a name that has changed must change
    /// here, or nothing would be looked at. What they call is looked at too.
    static let functions = [
        "Datapath.Worker.fromPort(",
        "Datapath.Worker.forward(",
        "Datapath.Worker.forwardSuperframe(",
        "Datapath.Worker.carryOut(",
        "Datapath.Worker.send(",
        "Datapath.Worker.flood(",
        "Datapath.Worker.encapsulate(",
        "Datapath.Worker.fromUnderlay(",
        "Datapath.Worker.decapsulate(",
        "Datapath.Worker.deliver(",
        "Datapath.Worker.floodLocally(",
        "Datapath.Worker.settleOperations(",
        "Datapath.Transmitter.send(",
        "Datapath.Transmitter.close(",
        "Datapath.Deliverer.deliver(",
        "Datapath.CapturePoints.show(",
        "Capture.PacketFilter.run(",
        "Capture.CaptureRing.push(",
        "Forwarding.Egress.decide(",
        "Forwarding.Ingress.admit(",
        "Forwarding.Ingress.decide(",
        "Forwarding.SegmentPlan.make(",
        "Forwarding.SegmentPlan.emit(",
        "Forwarding.Coalescer.add(",
        "Forwarding.Coalescer.vectors(",
        "Forwarding.Limiter.refuses(",
        "Wire.Checksum.sum(",
        "Wire.Checksum.sumBlocks(",
        "Wire.Checksum.verifyTransport(",
        "Wire.FlowHash.of(",
    ]

    /// Wire's functions that are calls by intent, because they loop over a payload. Everything
    /// else of Wire is a few instructions and must be in line.
    static let loops = ["sum(", "sumBlocks(", "verifyTransport(", "transportIsValid(", "complete("]
        .map { "Wire.Checksum." + $0 }

    /// Code of others that may be called. All else, and so reference counts, allocations,
    /// exclusivity checks, lazy globals, generic code and existentials, must not be.
    static let others: Set<String> = [
        "memcpy", "memmove", "memset",
        // A full submission queue is submitted.
        "io_uring_enter2", "io_uring_enter", "io_uring_submit",
        // A port with a limit asks for the time; read in user space.
        "clock_gettime",
        // The keeper is told once that a device cannot segment.
        "eventfd_write",
        // Refusing a superframe throws: a hook for debuggers, and its error's conformance, looked
        // up once. Neither allocates.
        "swift_willThrowTypedImpl", "swift_getWitnessTable",
    ]

    /// Whether a function may have the compiler's guard of its stack: those that run only while
    /// something is captured, and have arrays there.
    private static func mayGuard(_ name: String) -> Bool {
        name.hasPrefix("Capture.") || name.hasPrefix("Datapath.CapturePoints.")
    }

    @Test func noFrameCostsACallThatCouldBeSaved() throws {
        let program = try Program(path: try #require(binary))
        var pending: [String] = []
        for function in Self.functions {
            let symbols = program.symbols(of: function)
            #expect(!symbols.isEmpty, "\(function) is not in the binary: renamed or inlined?")
            pending += symbols
        }
        var seen = Set(pending)
        while let caller = pending.popLast() {
            let calls = program.calls[caller] ?? []
            #expect(!calls.contains(Program.indirect), "\(program.name(caller)) calls indirectly")
            for callee in calls where callee != Program.indirect {
                if callee == "__stack_chk_fail", Self.mayGuard(program.name(caller)) { continue }
                if let complaint = complaint(callee, program) {
                    Issue.record("\(program.name(caller)) -> \(complaint)")
                } else if program.ranges[callee] != nil, seen.insert(callee).inserted {
                    pending.append(callee)
                }
            }
        }
    }

    /// Why a function must not be called, nil if it may.
    private func complaint(_ callee: String, _ program: Program) -> String? {
        let name = program.name(callee)
        guard program.ranges[callee] != nil else {
            return Self.others.contains(callee) ? nil : name
        }
        if name.contains("unsafeMutableAddressor") { return name }
        if callee.hasPrefix("$s4Wire") {
            let plain = name.replacingOccurrences(of: "static ", with: "")
            return Self.loops.contains(where: { Program.names(plain, $0) }) ? nil : name
        }
        return nil
    }

    /// The looking itself must be able to see: off the path, all of this is there.
    @Test func itWouldSeeWhatIsForbidden() throws {
        let program = try Program(path: try #require(binary))
        let calls = program.calls.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        for call in ["swift_allocObject", "swift_retain", "swift_release", Program.indirect] {
            #expect(calls.contains(call))
        }
    }
}

/// A disassembled program: which function of our modules calls which.
private struct Program {
    /// A call through a register or memory: a closure or a witness.
    static let indirect = "*"
    /// How the mangled names of the modules on the packet's way begin.
    private static let modules = [
        "$s7Capture", "$s8Datapath", "$s10Forwarding", "$s4Wire", "$s5Uring",
    ]

    /// Addresses of our modules' functions by mangled name.
    let ranges: [String: Range<UInt64>]
    /// Mangled names of what each function calls.
    let calls: [String: Set<String>]
    private let demangled: [String: String]

    init(path: String) throws {
        let ranges = Self.ranges(try Self.run(["nm", "-S", "--defined-only", path]))
        let calls = Self.calls(
            try Self.run(["objdump", "-d", "--no-show-raw-insn", path]), ranges)
        let names = Array(ranges.keys.filter { calls[$0] != nil })
        let text = try Self.run(["swift", "demangle", "--compact"], input: names)
        let lines = text.split(separator: "\n").map(Self.withoutDiscriminators)
        precondition(lines.count == names.count, "the demangler answers line by line")
        self.ranges = ranges
        self.calls = calls
        demangled = Dictionary(uniqueKeysWithValues: zip(names, lines))
    }

    func name(_ symbol: String) -> String { demangled[symbol] ?? symbol }

    /// The symbols of a function, with those that the optimizer made of it.
    func symbols(of function: String) -> [String] {
        demangled.filter { Self.names($0.value, function) }.map(\.key)
    }

    /// Whether a demangled name is that of a function, not of something inside or about it.
    static func names(_ name: String, _ function: String) -> Bool {
        guard let start = name.range(of: function)?.lowerBound else { return false }
        let before = name[..<start]
        return before.isEmpty || before == "static " || before.hasSuffix("> of ")
            || before.hasSuffix("> of static ")
    }

    /// "(forward in _4D9B6D…)" -> "forward".
    private static func withoutDiscriminators(_ name: Substring) -> String {
        name.replacingOccurrences(
            of: #"\(([A-Za-z0-9_]+) in _[0-9A-F]+\)"#, with: "$1", options: .regularExpression)
    }

    private static func isOurs(_ symbol: Substring) -> Bool {
        modules.contains { symbol.hasPrefix($0) }
    }

    private static func ranges(_ table: String) -> [String: Range<UInt64>] {
        var ranges: [String: Range<UInt64>] = [:]
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 4, fields[2] == "t" || fields[2] == "T", isOurs(fields[3]),
                let start = UInt64(fields[0], radix: 16), let size = UInt64(fields[1], radix: 16)
            else { continue }
            ranges[String(fields[3])] = start..<start + size
        }
        return ranges
    }

    private static func calls(
        _ disassembly: String, _ ranges: [String: Range<UInt64>]
    ) -> [String: Set<String>] {
        var calls: [String: Set<String>] = [:]
        var current: (name: String, range: Range<UInt64>)?
        for line in disassembly.utf8.split(separator: UInt8(ascii: "\n")) {
            if line.last == UInt8(ascii: ":"), let name = target(Substring(line)) {
                current = ranges[name].map { (name, $0) }
                if current != nil, calls[name] == nil { calls[name] = [] }
            } else if let current, let callee = callee(Substring(line), within: current.range),
                callee != current.name
            {
                calls[current.name]!.insert(callee)
            }
        }
        return calls
    }

    /// "  20a606:\tcall   5b5b0 <memmove@plt>" -> "memmove"; jumps out of a function are calls.
    private static func callee(_ line: Substring, within range: Range<UInt64>) -> String? {
        let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard fields.count >= 3, let address = UInt64(fields[0].dropLast(), radix: 16),
            range.contains(address)
        else { return nil }
        let operation = fields[1]
        let isCall = operation == "call" || operation == "bl" || operation == "blr"
        guard isCall || operation.hasPrefix("j") || operation == "b" else { return nil }
        if let target = target(line) { return target }
        return isCall ? indirect : nil
    }

    /// What stands between the last < and >, without offset and @plt.
    private static func target(_ line: Substring) -> String? {
        guard let open = line.lastIndex(of: "<"), let close = line.lastIndex(of: ">"), open < close
        else { return nil }
        let symbol = line[line.index(after: open)..<close]
        return String(symbol.prefix(while: { $0 != "@" && $0 != "+" }))
    }

    private static func run(_ command: [String], input: [String]? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let output = Pipe()
        process.standardOutput = output
        let source = FileManager.default.temporaryDirectory
            .appendingPathComponent("weft-hot-path-\(UUID().uuidString)")
        if let input {
            try Data(input.joined(separator: "\n").utf8).write(to: source)
            process.standardInput = try FileHandle(forReadingFrom: source)
        }
        defer { try? FileManager.default.removeItem(at: source) }
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(command[0]) failed")
        return String(decoding: data, as: UTF8.self)
    }
}
