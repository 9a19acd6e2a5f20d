import ArgumentParser
import CLinux
import Glibc
import Wire

/// Reads an address of the command line.
func parseIPv4(_ text: String) throws -> IPv4Address {
    guard let address = IPv4Address(text) else { throw ValidationError("no address: \(text)") }
    return address
}

/// A socket of IPv4 that is closed when it goes.
struct InternetSocket: ~Copyable {
    let descriptor: Int32

    init(_ type: __socket_type, isBlocking: Bool = true) throws {
        let flags = SOCK_CLOEXEC.rawValue | (isBlocking ? 0 : SOCK_NONBLOCK.rawValue)
        descriptor = socket(AF_INET, Int32(type.rawValue | flags), 0)
        guard descriptor >= 0 else { throw BenchError.system("socket") }
    }

    deinit { close(descriptor) }

    /// The descriptor, which whoever takes it closes.
    consuming func release() -> Int32 {
        let descriptor = self.descriptor
        discard self
        return descriptor
    }

    /// Sets an option whose value is a number.
    func set(_ level: Int32, _ option: Int32, _ value: Int32) throws {
        var value = value
        guard
            setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
        else { throw BenchError.system("setsockopt \(level) \(option)") }
    }

    /// How long a receive waits.
    func setPatience(milliseconds: Int) throws {
        var patience = timeval(tv_sec: 0, tv_usec: milliseconds * 1000)
        guard
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
                socklen_t(MemoryLayout<timeval>.size)) == 0
        else { throw BenchError.system("setsockopt SO_RCVTIMEO") }
    }

    /// Binds to a port of all addresses.
    func bind(port: UInt16) throws {
        let failed = Self.withAddress(IPv4Address.any, port) { Glibc.bind(descriptor, $0, $1) }
        guard failed == 0 else { throw BenchError.system("bind to port \(port)") }
    }

    /// Connects; on a socket that does not block, begins to.
    func connect(to address: IPv4Address, port: UInt16) throws {
        let failed = Self.withAddress(address, port) { Glibc.connect(descriptor, $0, $1) }
        guard failed == 0 || errno == EINPROGRESS else {
            throw BenchError.system("connect to \(address)")
        }
    }

    private static func withAddress(
        _ address: IPv4Address, _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = address.bits.bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
