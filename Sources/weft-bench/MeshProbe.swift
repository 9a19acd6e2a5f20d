import CLinux
import Glibc
import Lab
import Wire

/// Sockets in all VMs of a lab, in this one process: who answers whom, and who hears a broadcast.
///
/// A datagram is three numbers of 16 bits: what it is, who sends it, whom it is for.
final class MeshProbe {
    private enum Kind: UInt16 {
        case question, answer, broadcast
    }

    private struct Member {
        let socket: Int32
        let address: IPv4Address
    }

    private static let port: UInt16 = 7777
    private let members: [Member]
    private var answered: [Bool]
    /// Broadcasts that arrived, all VMs together.
    private(set) var heard = 0
    private let subnet: IPv4Address

    /// `subnet` is the broadcast address of the VMs' network.
    init(_ vms: [VM], subnet: IPv4Address) throws {
        self.subnet = subnet
        var members: [Member] = []
        for vm in vms {
            guard case .v4(let address) = vm.addresses[0].address else { continue }
            let socket = try vm.namespace.enter { try Self.open() }
            members.append(Member(socket: socket, address: address))
        }
        self.members = members
        answered = [Bool](repeating: false, count: members.count * members.count)
        for index in members.indices { answered[index * members.count + index] = true }
    }

    deinit { for member in members { close(member.socket) } }

    /// Pairs, in both directions, that have not answered yet.
    var missing: Int { answered.count { !$0 } }

    /// Asks everyone of everyone, again where there is no answer, until all have answered.
    func waitUntilAllAnswer(timeout: Duration) throws {
        let deadline = ContinuousClock.now + timeout
        while missing > 0 {
            try Interruption.check()
            guard ContinuousClock.now < deadline else {
                throw LabError.timedOut(
                    waitingFor: "all VMs to answer each other",
                    detail: "\(missing) of \(answered.count - members.count) pairs have not")
            }
            for from in members.indices {
                for to in members.indices where !answered[from * members.count + to] {
                    send(.question, from: from, to: to, address: members[to].address)
                }
                receive(milliseconds: 0)
            }
            receive(milliseconds: 100)
        }
    }

    /// Sends broadcasts from the first VM, at a steady rate, and waits for what is on its way.
    func broadcast(_ count: Int, perSecond rate: Int) {
        let start = monotonicNanoseconds()
        for index in 0..<count {
            sleepUntil(start + UInt64(index) * 1_000_000_000 / UInt64(rate))
            send(.broadcast, from: 0, to: 0, address: subnet)
            receive(milliseconds: 0)
        }
        receive(milliseconds: 200)
    }

    private static func open() throws -> Int32 {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let socket = socket(AF_INET, type, 0)
        guard socket >= 0 else { throw BenchError.system("socket") }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_BROADCAST, &yes, socklen_t(MemoryLayout<Int32>.size))
        var size: Int32 = 1 << 20
        setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        var any = endpoint(.any)
        let bound = withUnsafePointer(to: &any) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0 else {
            let code = errno
            close(socket)
            throw BenchError.system("bind", code: code)
        }
        return socket
    }

    private static func endpoint(_ address: IPv4Address) -> sockaddr_in {
        var endpoint = sockaddr_in()
        endpoint.sin_family = sa_family_t(AF_INET)
        endpoint.sin_port = port.bigEndian
        endpoint.sin_addr.s_addr = address.bits.bigEndian
        return endpoint
    }

    /// What is not taken (no route yet, a full queue) is asked again.
    private func send(_ kind: Kind, from: Int, to: Int, address: IPv4Address) {
        var message = [kind.rawValue, UInt16(from), UInt16(to)]
        var endpoint = Self.endpoint(address)
        withUnsafePointer(to: &endpoint) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    members[from].socket, &message, 6, 0, $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Takes what has come, and what comes until nothing has for so long.
    private func receive(milliseconds: Int32) {
        var files = members.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
        while poll(&files, nfds_t(files.count), milliseconds) > 0 {
            for index in files.indices where files[index].revents != 0 { drain(index) }
            if missing == 0 && milliseconds < 200 { return }
        }
    }

    private func drain(_ member: Int) {
        var message = [UInt16](repeating: 0, count: 3)
        while recv(members[member].socket, &message, 6, 0) == 6 {
            let (from, to) = (Int(message[1]), Int(message[2]))
            switch Kind(rawValue: message[0]) {
            case .question where to == member && from < members.count:
                send(.answer, from: to, to: from, address: members[from].address)
            case .answer where to == member && from < members.count:
                answered[to * members.count + from] = true
            case .broadcast where from != member:
                // The sender's own kernel hands it a copy too.
                heard += 1
            default:
                break
            }
        }
    }
}
