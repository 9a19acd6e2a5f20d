import ControlAPI
import Forwarding
import Uring

extension Worker {
    /// Tells how full everything is: as a turn ends, and before the worker sleeps.
    @inline(__always)
    func noteOccupancy() {
        let counters = out.view.counters
        counters.set(.submissions, out.ring.preparedCount, peak: .submissionsPeak)
        counters.set(.operations, out.memory.inFlight, peak: .operationsPeak)
        counters.set(.portWindow, portBuffers.window)
        counters.set(.portLent, portBuffers.lent)
        counters.set(.portHeld, portBuffers.spentCount)
        counters.set(.portHeldBytes, portBuffers.spentBytes)
        counters.set(.underlayWindow, underlayBuffers.window)
        counters.set(.underlayLent, underlayBuffers.lent)
        counters.set(.underlayHeld, underlayBuffers.spentCount)
        counters.set(.underlayHeldBytes, underlayBuffers.spentBytes)
    }
}

/// Times the turns of a worker's loop, with one look at the clock for each: that which the tables'
/// view of the next turn needs, or the spinner before it idles.
struct TurnClock {
    /// When the turn began; 0 between turns.
    private var beganAt: UInt64 = 0

    /// A turn begins, and one that went on until now is over.
    @inline(__always)
    mutating func begin(at now: UInt64, _ counters: Counters) {
        end(at: now, counters)
        beganAt = now
    }

    /// The turn is over, and the worker idles.
    @inline(__always)
    mutating func end(at now: UInt64, _ counters: Counters) {
        if beganAt != 0 { counters.addTurn(nanoseconds: now &- beganAt) }
        beganAt = 0
    }
}

extension WorkerThread {
    /// How full it is, as it has last told.
    var load: WorkerLoad {
        let counters = tables.counters
        func queue(_ used: Gauge, _ peak: Gauge, _ capacity: Int) -> QueueStatus {
            QueueStatus(used: counters.read(used), peak: counters.read(peak), capacity: capacity)
        }
        func buffers(
            _ window: Gauge, _ lent: Gauge, _ held: Gauge, _ bytes: Gauge
        ) -> ReceiveBufferStatus {
            ReceiveBufferStatus(
                window: counters.read(window), lent: counters.read(lent),
                held: counters.read(held), heldBytes: counters.read(bytes),
                capacity: WorkerThread.bufferCount)
        }
        return WorkerLoad(
            queues: [
                "submission": queue(
                    .submissions, .submissionsPeak, Int(WorkerThread.submissionEntries)),
                "completion": queue(
                    .completions, .completionsPeak, Int(WorkerThread.completionEntries)),
                "transmit": queue(.operations, .operationsPeak, TurnMemory.operationCapacity),
            ],
            receiveBuffers: [
                "ports": buffers(.portWindow, .portLent, .portHeld, .portHeldBytes),
                "underlay": buffers(
                    .underlayWindow, .underlayLent, .underlayHeld, .underlayHeldBytes),
            ],
            turns: TurnStatus(
                bounds: TurnTimes.bounds, counts: counters.turnCounts,
                nanoseconds: counters.turnNanoseconds))
    }
}
