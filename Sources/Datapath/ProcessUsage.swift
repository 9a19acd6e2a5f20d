// What the kernel tells of this process: proc_pid_stat(5), getrlimit(2).

import CLinux
import ControlAPI
import Glibc

extension ProcessStatus {
    /// This process now; nil where there is no /proc.
    static func current() -> ProcessStatus? {
        guard let stat = text(of: "/proc/self/stat"), let boot = bootTime else { return nil }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return ProcessStatus(
            stat: stat, bootTime: boot, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
            pageSize: sysconf(Int32(_SC_PAGESIZE)), openFiles: openFiles,
            maxFiles: UInt64(limit.rlim_cur))
    }

    /// From /proc/PID/stat; nil if that is something else.
    init?(
        stat: String, bootTime: Int, ticksPerSecond: Int, pageSize: Int, openFiles: Int,
        maxFiles: UInt64
    ) {
        // The second field is the program's name in parentheses, which may contain anything.
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[end...].dropFirst().split(separator: " ").map(String.init)
        // From field 3 on: utime and stime are 14 and 15, then 20 threads, 22 start, 23 and 24.
        func field(_ number: Int) -> UInt64? {
            fields.indices.contains(number - 3) ? UInt64(fields[number - 3]) : nil
        }
        guard let user = field(14), let system = field(15), let threads = field(20),
            let start = field(22), let virtual = field(23), let resident = field(24)
        else { return nil }
        self.init(
            cpuSeconds: Double(user + system) / Double(ticksPerSecond),
            startTimeSeconds: Double(bootTime) + Double(start) / Double(ticksPerSecond),
            residentBytes: resident * UInt64(pageSize), virtualBytes: virtual,
            threads: Int(threads), openFiles: openFiles, maxFiles: maxFiles)
    }

    /// Seconds since 1970 at which the host was started. Not from /proc/stat, which lists every
    /// interrupt of every CPU.
    private static var bootTime: Int? {
        var (now, up) = (timespec(), timespec())
        guard clock_gettime(CLOCK_REALTIME, &now) == 0, clock_gettime(CLOCK_BOOTTIME, &up) == 0
        else { return nil }
        return now.tv_sec - up.tv_sec
    }

    private static var openFiles: Int {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // `.`, `..`, and the folder itself.
        return max(0, count - 3)
    }

    private static func text(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let length = read(file, &bytes, bytes.count)
        return length > 0 ? String(decoding: bytes[..<length], as: UTF8.self) : nil
    }
}
