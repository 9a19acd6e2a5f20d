// Reclamation: when may memory that readers were shown be freed?
//
// Tables are read by all workers without locks and replaced by one thread. A replaced storage may
// still be in use by a worker that loaded its address earlier in this turn, so it is freed only
// after every worker has passed a quiescent point: the top of a turn, where a worker holds no
// address from before. A worker that sleeps in the kernel holds none either and says so, else a
// quiet worker would hold back everyone's garbage. (Quiescent-state-based reclamation: McKenney
// and Slingwine, "Read-Copy Update", 1998.)

import Synchronization

/// One worker's announcement of the last epoch it has seen. In memory of its own, two cache lines
/// because CPUs fetch them in pairs: it is written every turn.
package final class Reader: @unchecked Sendable {
    static let asleep = UInt64.max
    private let seen: UnsafeMutablePointer<Atomic<UInt64>>
    private let domain: ReclamationDomain

    fileprivate init(domain: ReclamationDomain) {
        self.domain = domain
        seen = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
            .bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        seen.initialize(to: Atomic(Reader.asleep))
    }

    deinit { seen.deallocate() }

    /// The top of a turn: addresses loaded before are not used any more.
    @inline(__always)
    package func quiescent() {
        // Sequentially consistent, as is the other side's scan: the announcement must be visible
        // before this worker's next load of a table's address.
        let epoch = domain.epoch.load(ordering: .sequentiallyConsistent)
        seen.pointee.store(epoch, ordering: .sequentiallyConsistent)
    }

    /// About to sleep; `quiescent()` wakes.
    @inline(__always)
    package func sleep() {
        seen.pointee.store(Reader.asleep, ordering: .sequentiallyConsistent)
    }

    fileprivate func hasSeen(_ epoch: UInt64) -> Bool {
        seen.pointee.load(ordering: .sequentiallyConsistent) >= epoch
    }
}

/// The readers of a set of tables, and what waits to be freed. All but `Reader`'s methods belong
/// to the one thread that writes the tables.
package final class ReclamationDomain: @unchecked Sendable {
    fileprivate let epoch = Atomic<UInt64>(1)
    private var readers: [Reader] = []
    private var retired: [(epoch: UInt64, memory: UnsafeMutableRawPointer)] = []

    package init() {}

    deinit {
        for entry in retired { entry.memory.deallocate() }
    }

    /// Makes a reader. All readers are made before the first table is replaced.
    package func makeReader() -> Reader {
        let reader = Reader(domain: self)
        readers.append(reader)
        return reader
    }

    /// Takes memory that no newly loaded address leads to any more.
    package func retire(_ memory: UnsafeMutableRawPointer) {
        let now = epoch.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
        retired.append((now, memory))
        collect()
    }

    /// Frees what no reader can hold any more.
    package func collect() {
        retired.removeAll { entry in
            guard readers.allSatisfy({ $0.hasSeen(entry.epoch) }) else { return false }
            entry.memory.deallocate()
            return true
        }
    }

    /// Returns once every reader has passed a quiescent point, and so uses nothing that was
    /// replaced before the call; `pause` is called while one has not.
    package func synchronize(pause: () -> Void) {
        let now = epoch.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
        while !readers.allSatisfy({ $0.hasSeen(now) }) { pause() }
        collect()
    }

    /// How many storages wait to be freed.
    package var pending: Int { retired.count }
}
