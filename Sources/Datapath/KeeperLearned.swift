// What was learned, over a restart: the keeper saves it when it ends, and once a minute for the
// case that it is not asked to, and begins with what is there.

import CLinux
import Catalog
import Forwarding
import Glibc
import Logging
import Wire

extension Keeper {
    /// Saves what was learned. Whoever reads the file sees the old or the new one.
    func saveLearned() {
        guard let path = handover.learnedPath else { return }
        do throws(LearnedTableError) {
            try learned().write(to: path)
            saveComplaint = nil
        } catch {
            if saveComplaint != error { logger.warning("\(path): \(error)") }
            saveComplaint = error
        }
    }

    /// Takes over what an earlier daemon has saved, as far as it holds for this configuration.
    /// - Returns: how many endpoints that were.
    func restoreLearned() -> Int {
        guard let path = handover.learnedPath else { return 0 }
        do throws(LearnedTableError) {
            guard let table = try LearnedTable(readingFrom: path) else { return 0 }
            return restore(table)
        } catch {
            logger.warning("\(path): \(error); what was learned is learned anew")
            return 0
        }
    }

    /// What is in the tables and not fixed.
    private func learned() -> LearnedTable {
        var table = LearnedTable(savedAt: LearnedTable.wallClock())
        let now = WorkerTables.seconds()
        var numbers: [Location: Int] = [:]
        tables.forEachLearned { key, location, seen in
            guard let vni = rows.networks[Int(key.network)]?.vni else { return }
            if numbers[location] == nil, let place = savedPlace(location) {
                numbers[location] = table.places.count
                table.places.append(place)
            }
            guard let number = numbers[location] else { return }
            table.endpoints.append(
                .init(vni: vni, mac: key.mac, place: number, age: now &- seen))
        }
        tables.forEachLearnedNeighbor { key, neighbor in
            guard let vni = rows.networks[Int(key.network)]?.vni else { return }
            table.neighbors.append(
                .init(
                    vni: vni, address: key.address, mac: neighbor.mac,
                    role: neighbor.role.rawValue))
        }
        return table
    }

    private func savedPlace(_ location: Location) -> LearnedTable.Place? {
        let row = Int(location.index)
        return location.isPort
            ? rows.ports[row].map { .port($0.name) }
            : rows.peers[row].map { .peer($0.address.mapped) }
    }

    private func restore(_ table: LearnedTable) -> Int {
        let networks = Dictionary(
            rows.networks.entries.map { ($0.element.vni, $0.row) }, uniquingKeysWith: { $1 })
        let peers = Dictionary(
            rows.peers.entries.map { ($0.element.address.mapped, $0.row) },
            uniquingKeysWith: { $1 })
        let places = table.places.map { place -> Location? in
            switch place {
            case .port(let name): rows.ports.row(of: name).map { .port(UInt16($0)) }
            case .peer(let address): peers[address].map { .peer(UInt16($0)) }
            }
        }
        // A clock that was set back meanwhile tells nothing: then they age from now on.
        let wall = LearnedTable.wallClock()
        let elapsed = wall > table.savedAt ? wall - table.savedAt : 0
        let now = WorkerTables.seconds()
        var count = 0
        for endpoint in table.endpoints {
            guard let row = networks[endpoint.vni], let network = rows.networks[row],
                network.learning, let location = places[endpoint.place],
                has(network, location),
                UInt64(endpoint.age) + elapsed < UInt64(network.ageing)
            else { continue }
            let age = endpoint.age + UInt32(elapsed)
            let key = EndpointKey(network: UInt16(row), mac: endpoint.mac)
            if tables.restore(key, location, seen: now &- age) { count += 1 }
        }
        for neighbor in table.neighbors {
            guard let row = networks[neighbor.vni] else { continue }
            tables.restore(
                NeighborKey(network: UInt16(row), mapped: neighbor.address),
                Neighbor(
                    mac: neighbor.mac, role: NeighborRole(rawValue: neighbor.role) ?? .unknown))
        }
        return count
    }

    /// Whether a port or peer is in a network now.
    private func has(_ network: Network, _ location: Location) -> Bool {
        let row = Int(location.index)
        guard !location.isPort else { return rows.ports[row]?.network == network.name }
        guard let peer = rows.peers[row] else { return false }
        return peer.networks?.contains(network.name) ?? true
    }
}

extension LearnedTable {
    static func wallClock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(0, time.tv_sec))
    }

    /// A file may be this large: a million endpoints and as many neighbours take 45 MB.
    private static let largest = 256 << 20

    /// Nil if there is no file.
    init?(readingFrom path: String) throws(LearnedTableError) {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .last("open")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .last("stat") }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.largest else {
            throw LearnedTableError(description: "is no table of endpoints")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(file, $0.baseAddress?.advanced(by: filled), $0.count - filled)
            }
            guard count > 0 else { throw .last("read") }
            filled += count
        }
        try self.init(bytes)
    }

    /// Puts the table in the place of what is there.
    func write(to path: String) throws(LearnedTableError) {
        let bytes = bytes
        let draft = path + ".new"
        unlink(draft)
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .last("open") }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress?.advanced(by: written), $0.count - written)
            }
            guard count > 0 else {
                let error = LearnedTableError.last("write")
                unlink(draft)
                throw error
            }
            written += count
        }
        guard rename(draft, path) == 0 else { throw .last("rename") }
    }
}

extension LearnedTableError {
    fileprivate static func last(_ call: String) -> LearnedTableError {
        LearnedTableError(description: "\(call): \(String(cString: strerror(errno)))")
    }
}
