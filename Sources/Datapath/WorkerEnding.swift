// How a worker ends. Descriptors may be in others' hands, too, and a later process go on with them:
// a frame that was read and not carried out would be lost to both.

import Forwarding
import Uring

extension Worker {
    /// Ends the reads, carries out what they took, and lets it leave. What has not been read by
    /// then stays in the kernel's queues.
    mutating func drain() {
        isReading = false
        endReads()
        // Reads end at once, and what they took leaves at once. If something does not, it is not
        // worth waiting for longer than this.
        for _ in 0..<Worker.patience {
            _ = out.ring.submitAndWait(
                minimum: isDrained ? 0 : 1, timeoutNanoseconds: 1_000_000)
            tables.refresh(&out.view)
            let ready = out.ring.readyCount
            settleOperations(ready)
            takeReceived(ready)
            finishTurn()
            if isDrained { break }
        }
        tables.reader.sleep()
    }

    /// Turns, of a millisecond at most where there is nothing to do.
    private static let patience = 2000

    private mutating func endReads() {
        let tag = RequestTag(.cancellation).bits
        var files = [receives.underlaySocket]
        for index in 0..<deliverer.used where deliverer.ports[index].isAttached {
            files.append(deliverer.ports[index].file)
        }
        for file in files {
            while !out.ring.cancelAll(file: file, userData: tag) {
                _ = out.ring.submitAndWait(minimum: 0, timeoutNanoseconds: nil)
            }
        }
    }

    /// No read waits, and nothing that was read is under way.
    private var isDrained: Bool {
        guard receives.underlayNeedsArming, out.memory.inFlight == 0, out.ring.readyCount == 0,
            !out.ring.hasSubmissions
        else { return false }
        for index in 0..<deliverer.used {
            let port = deliverer.ports[index]
            let ended = port.readsToArm == port.reads(multishot: settings.readsMultishot)
            if port.isAttached, !ended { return false }
        }
        return true
    }
}
