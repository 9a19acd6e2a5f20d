import Glibc

/// Connects to a Unix stream socket; nil if nobody accepts there.
func connectUnixSocket(_ path: String) -> Int32? {
    openUnixSocket(path) { connect($0, $1, $2) }
}

/// Listens for one client on a Unix stream socket; nil if that is not possible.
func listenOnUnixSocket(_ path: String) -> Int32? {
    openUnixSocket(path) { descriptor, address, length in
        guard bind(descriptor, address, length) == 0 else { return -1 }
        return listen(descriptor, 1)
    }
}

/// A stream socket on which `use` of a path's address succeeded.
private func openUnixSocket(
    _ path: String, use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> Int32? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // One byte less: the path ends with a zero.
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { return nil }
    let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            use(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    guard result == 0 else {
        close(descriptor)
        return nil
    }
    return descriptor
}
