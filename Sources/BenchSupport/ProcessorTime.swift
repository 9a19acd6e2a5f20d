/// What the machine's processors did since it started, in clock ticks over all of them, as the
/// first line of /proc/stat has it (proc(5)).
package struct ProcessorTime: Equatable {
    /// At work: user, nice, system, interrupts and soft interrupts.
    package var busy: UInt64
    /// The part of `busy` in interrupts and soft interrupts.
    package var interrupts: UInt64
    /// Ready to work while the hypervisor ran somebody else.
    package var steal: UInt64

    /// Reads the text of /proc/stat; nil if it is not that.
    package init?(stat text: String) {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("cpu ") }) else {
            return nil
        }
        // user nice system idle iowait irq softirq steal
        let ticks = line.split(separator: " ").dropFirst().compactMap { UInt64($0) }
        guard ticks.count >= 8 else { return nil }
        interrupts = ticks[5] + ticks[6]
        busy = ticks[0] + ticks[1] + ticks[2] + interrupts
        steal = ticks[7]
    }
}

/// One process: who started it, and its ticks, as /proc/PID/stat has them.
package struct ProcessTime: Equatable {
    /// Its identifier.
    package var pid: Int32
    /// Its parent's.
    package var parent: Int32
    /// Its own ticks, all threads, user and system.
    package var own: UInt64
    /// Those of its children that have ended and that it has waited for.
    package var children: UInt64

    /// Reads the text of /proc/PID/stat; nil if it is not that.
    package init?(stat text: String) {
        // The name, in parentheses, may hold anything.
        guard let open = text.firstIndex(of: " "), let name = text.lastIndex(of: ")"),
            let pid = Int32(text[..<open])
        else { return nil }
        let fields = text[name...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[2]) else { return nil }
        let ticks = fields[12...15].compactMap { UInt64($0) }
        guard ticks.count == 4 else { return nil }
        self.pid = pid
        self.parent = parent
        own = ticks[0] + ticks[1]
        children = ticks[2] + ticks[3]
    }
}

/// All processes at one moment.
package struct ProcessTable {
    private let processes: [Int32: ProcessTime]

    /// A table of these.
    package init(_ processes: [ProcessTime]) {
        self.processes = Dictionary(processes.map { ($0.pid, $0) }) { first, _ in first }
    }

    /// A process's own ticks; 0 if it is not there.
    package func ticks(of pid: Int32) -> UInt64 { processes[pid]?.own ?? 0 }

    /// The ticks of all processes but `root`, what it started, and the kernel's threads.
    ///
    /// Those of ended children are with whoever waited for them, so that a compiler run that
    /// began and ended between two tables shows in their difference.
    package func ticksOfOthers(than root: Int32) -> UInt64 {
        processes.values.reduce(0) { sum, process in
            let excluded = descends(process, from: root) || descends(process, from: 2)
            return excluded ? sum : sum + process.own + process.children
        }
    }

    private func descends(_ process: ProcessTime, from root: Int32) -> Bool {
        var current = process
        // A table read while processes come and go may hold a loop; no chain is this long.
        for _ in 0..<64 {
            if current.pid == root { return true }
            guard let parent = processes[current.parent] else { return false }
            current = parent
        }
        return false
    }
}
