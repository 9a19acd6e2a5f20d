// Worker: one thread, one ring, its own sockets, its own queue of every port, its own memory. It
// shares with other threads only the tables, which it reads, and its mailbox.
//
// A frame's way:  fromPort      -> Egress.decide  -> Transmitter (peer) or Deliverer (port)
//                 fromUnderlay  -> Ingress.decide -> Coalescer -> Deliverer
//
// Everything that the completions of one turn ask for is prepared during the turn and handed to
// the kernel with one system call, which also fetches the next turn's completions.

import Forwarding
import Glibc
import Uring
import Wire

struct Worker: ~Copyable {
    // `out` holds the ring: it goes first when a worker ends, so that no request is left that
    // could write into the buffers.
    var out: Outlet
    var portBuffers: ReceiveBuffers
    var underlayBuffers: ReceiveBuffers
    var transmitter: Transmitter
    var deliverer: Deliverer
    var coalescer: Coalescer
    var spinner: Spinner
    var turnClock = TurnClock()
    let settings: WorkerSettings
    let tables: WorkerTables
    let mailbox: Mailbox
    var receives: ReceiveRequests
    /// Completions at the head of the queue whose operations have been counted already.
    var settled = 0
    /// Not before all ports are attached that can be, or what waits for them would be dropped.
    var isReading = false
    var isStopping = false

    /// Runs until the mailbox says stop.
    mutating func run() {
        while !isStopping {
            fetch()
            let now = WorkerTables.nanoseconds()
            turnClock.begin(at: now, out.view.counters)
            tables.refresh(&out.view, now)
            let ready = out.ring.readyCount
            out.view.counters.set(.completions, ready, peak: .completionsPeak)
            settleOperations(ready)
            takeReceived(ready)
            finishTurn()
        }
        drain()
    }

    /// Submits what the last turn prepared and fetches what has come; sleeps if nothing has.
    private mutating func fetch() {
        arm()
        if out.ring.hasSubmissions || out.ring.hasPendingWork {
            _ = out.ring.submitAndWait(minimum: 0, timeoutNanoseconds: nil)
        }
        if out.ring.readyCount > 0 { return }
        if spin() { return }
        out.view.counters.add(.sleeps)
        out.view.counters.set(.completions, 0)
        noteOccupancy()
        tables.reader.sleep()
        _ = out.ring.submitAndWait(minimum: 1, timeoutNanoseconds: nil)
    }

    /// Looks for work for a short while before sleeping; true if some came.
    private mutating func spin() -> Bool {
        let now = WorkerTables.nanoseconds()
        turnClock.end(at: now, out.view.counters)
        guard spinner.begin(now) else { return false }
        while !out.ring.hasPendingWork {
            guard spinner.goesOn() else { return false }
        }
        out.ring.flushTaskWork()
        spinner.foundWork()
        return out.ring.readyCount > 0
    }

    /// Counts the sends and writes that have ended. If all have, which is normal, their memory and
    /// the buffers that they read from are free again.
    mutating func settleOperations(_ ready: Int) {
        var index = settled
        while index < ready {
            let completion = out.ring.completion(at: index)
            let tag = RequestTag(bits: completion.userData)
            if tag.kind == .operation { out.complete(tag.index, result: completion.result) }
            index &+= 1
        }
        if out.segmentationRefused { giveUpSegmentation() }
        if out.pathRefused {
            out.pathRefused = false
            tables.report(.pathRefused)
        }
        guard out.memory.inFlight == 0 else { return }
        out.memory.reset()
        portBuffers.recycle()
        underlayBuffers.recycle()
    }

    /// Takes what was received, for as long as there is memory to carry it out.
    mutating func takeReceived(_ ready: Int) {
        var taken = 0
        while taken < ready, out.memory.hasReserve {
            let ahead = taken &+ Egress.prefetchDistance
            if ahead < ready { prefetch(out.ring.completion(at: ahead)) }
            take(out.ring.completion(at: taken))
            taken &+= 1
        }
        out.ring.advance(taken)
        settled = ready &- taken
    }

    /// Has the CPU fetch what the decision on a frame from a port will need, while those before
    /// it are carried out. A packet socket's buffer says only when taken where its frame begins.
    @inline(__always)
    private func prefetch(_ completion: Completion) {
        let tag = RequestTag(bits: completion.userData)
        guard tag.kind == .port, completion.hasBuffer else { return }
        let port = deliverer.ports[tag.index]
        guard port.reading == .file,
            completion.result >= Int32(port.headerLength) + Int32(Ethernet.headerLength)
        else { return }
        let frame = portBuffers.address(of: completion.bufferID) + Int(port.headerLength)
        Egress.prefetch(frame, port: UInt16(truncatingIfNeeded: tag.index), out.view)
    }

    @inline(__always)
    private mutating func take(_ completion: Completion) {
        let tag = RequestTag(bits: completion.userData)
        switch tag.kind {
        case .port: fromPort(tag, completion)
        case .underlay: fromUnderlay(completion)
        case .mailbox: takeMail(completion)
        case .operation, .cancellation, nil: break
        }
    }

    /// Hands over what waited for more of its kind.
    mutating func finishTurn() {
        out.view.counters.add(.turns)
        deliverCoalesced()
        transmitter.flush(&out)
        tables.callKeeperIfNeeded()
        noteOccupancy()
    }

    private mutating func giveUpSegmentation() {
        out.segmentationRefused = false
        guard transmitter.segments else { return }
        transmitter.giveUpSegmentation()
        tables.report(.segmentationRefused)
    }
}
