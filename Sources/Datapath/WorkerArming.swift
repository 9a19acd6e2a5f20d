import CLinux
import Forwarding
import Glibc
import Uring
import Wire

extension Worker {
    /// Prepares the receives that have ended.
    mutating func arm() {
        if receives.mailboxNeedsArming {
            receives.mailboxNeedsArming = !out.ring.pollMultishot(
                file: mailbox.eventFile, events: UInt32(POLLIN),
                userData: RequestTag(.mailbox).bits)
        }
        guard isReading else { return }
        if receives.underlayNeedsArming {
            receives.underlayNeedsArming = !receives.armUnderlay(out.ring)
        }
        if receives.portsNeedArming {
            receives.portsNeedArming = false
            for index in 0..<deliverer.used { armPort(index) }
        }
    }

    private mutating func armPort(_ index: Int) {
        let port = deliverer.ports + index
        guard port.pointee.isAttached, !port.pointee.isParked else { return }
        while port.pointee.readsToArm > 0 {
            let isPrepared = receives.arm(
                index, port.pointee, multishot: settings.readsMultishot,
                length: portBuffers.length, out.ring)
            guard isPrepared else {
                receives.portsNeedArming = true
                return
            }
            port.pointee.readsToArm &-= 1
        }
    }

    /// Does what other threads have asked for.
    mutating func takeMail(_ completion: Completion) {
        if !completion.more { receives.mailboxNeedsArming = true }
        for request in mailbox.take() {
            switch request {
            case .attach(let port, let queue): attach(port, queue)
            case .detach(let port): detach(port)
            case .resume: resume()
            case .begin: isReading = true
            case .captures(let taps):
                out.captures.replace(taps)
                mailbox.acknowledge()
            case .stop: isStopping = true
            }
        }
    }

    private mutating func attach(_ index: UInt16, _ queue: Mailbox.Queue) {
        let port = deliverer.ports + Int(index)
        port.pointee = WorkerPort(
            file: queue.file, reading: queue.reading, headerLength: queue.headerLength,
            generation: port.pointee.generation &+ 1)
        port.pointee.readsToArm = port.pointee.reads(multishot: settings.readsMultishot)
        deliverer.used = max(deliverer.used, Int(index) + 1)
        receives.portsNeedArming = true
    }

    /// Ends the reads and writes nothing more. What is in flight completes first: it was submitted
    /// before the cancellation is.
    private mutating func detach(_ index: UInt16) {
        let port = deliverer.ports + Int(index)
        defer { mailbox.acknowledge() }
        guard port.pointee.isAttached else { return }
        deliverCoalesced()
        _ = out.ring.cancelAll(
            file: port.pointee.file, userData: RequestTag(.cancellation).bits)
        port.pointee.file = -1
        // The keeper closes the descriptor, whose number the next port may get: nothing that
        // names it may be left in the queue.
        while out.ring.hasSubmissions {
            _ = out.ring.submitAndWait(minimum: 0, timeoutNanoseconds: nil)
        }
    }

    /// Reads that failed for want of an interface are tried again.
    private mutating func resume() {
        for index in 0..<deliverer.used { deliverer.ports[index].isParked = false }
        receives.portsNeedArming = true
    }
}
