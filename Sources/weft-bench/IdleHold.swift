import Glibc

/// What CPUs with nothing to do are let do.
enum IdleMode: String, Codable, CaseIterable {
    /// Wait awake, ready at once.
    case poll
    /// Sleep as the machine's governor decides.
    case sleep
}

/// Keeps idle CPUs awake as long as it lives, through the kernel's PM QoS (cpu_dma_latency).
///
/// Waking a sleeping virtual CPU costs tens of microseconds, several times what is measured. A
/// daemon that spins keeps CPUs awake, and so do strangers: without this, a round trip over the
/// bare wire takes longer than one through a spinning daemon. Polling counts as idle time.
struct IdleHold: ~Copyable {
    private let file: Int32

    /// Throws where the kernel does not offer it.
    init() throws {
        file = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw BenchError(
                "/dev/cpu_dma_latency: \(String(cString: strerror(errno))); "
                    + "--idle sleep measures with CPUs that sleep when idle")
        }
        // The tolerable latency in microseconds, valid until the file is closed.
        var latency: Int32 = 0
        guard write(file, &latency, MemoryLayout<Int32>.size) == MemoryLayout<Int32>.size else {
            let code = errno
            close(file)
            throw BenchError.system("write /dev/cpu_dma_latency", code: code)
        }
    }

    deinit { close(file) }
}
