import ControlAPI
import Foundation
import Testing

@Suite("A client without a daemon")
struct ControlClientTests {
    private func failure(_ client: ControlClient) -> ControlError? {
        #expect(throws: ControlError.self) { try client.get("/v1/status") }
    }

    @Test("says that weftd is not running")
    func noSocket() {
        let error = failure(ControlClient(socket: "/nowhere/weft.sock"))
        #expect(error?.description == "weftd is not running (no such socket /nowhere/weft.sock)")
    }

    @Test("says what is no path of a socket")
    func invalidPath() {
        let long = "/" + String(repeating: "x", count: 107)
        for path in [long, "", "/a\0b"] {
            guard case .invalidSocket = failure(ControlClient(socket: path)) else {
                Issue.record("\(path) was taken")
                continue
            }
        }
    }

    @Test("knows a socket that was left behind, and one that does not answer")
    func deadSockets() throws {
        let path = NSTemporaryDirectory() + "weft-\(UUID().uuidString.prefix(8)).sock"
        let descriptor = try bindSocket(path)
        defer { unlink(path) }
        #expect(
            failure(ControlClient(socket: path))
                == .notRunning(socket: path, reason: "nobody listens on"))
        try #require(listen(descriptor, 1) == 0)
        let start = ContinuousClock.now
        #expect(failure(ControlClient(socket: path, timeoutSeconds: 1)) == .timeout(seconds: 1))
        #expect(ContinuousClock.now - start < .seconds(5))
        close(descriptor)
    }

    private func bindSocket(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        try #require(result == 0)
        return descriptor
    }
}
