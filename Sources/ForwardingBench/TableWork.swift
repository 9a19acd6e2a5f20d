// Looking endpoints up: the keys come in an order that no cache foresees.

import Forwarding
import Wire

extension Workload {
    static let lookups = [
        hit(1_000, "lookup-hit-1k"), miss(1_000, "lookup-miss-1k"),
        hit(1_000_000, "lookup-hit-1M"), miss(1_000_000, "lookup-miss-1M"),
    ]

    private static func hit(_ endpoints: Int, _ name: String) -> Workload {
        Workload(name, unit: "key", operations: 4096) {
            let rig = ForwardingRig(endpoints: endpoints)
            var sequence = IndexSequence()
            return { operations in
                let view = rig.keeper.endpoints.view
                var found = 0
                for _ in 0..<operations {
                    let mac = ForwardingRig.mac(sequence.next(below: endpoints))
                    if view.lookup(EndpointKey(network: 0, mac: mac)) != nil { found &+= 1 }
                }
                return found
            }
        }
    }

    private static func miss(_ endpoints: Int, _ name: String) -> Workload {
        Workload(name, unit: "key", operations: 4096) {
            let rig = ForwardingRig(endpoints: endpoints)
            var sequence = IndexSequence()
            return { operations in
                let view = rig.keeper.endpoints.view
                var missed = 0
                for _ in 0..<operations {
                    let mac = ForwardingRig.mac(endpoints &+ sequence.next(below: endpoints))
                    if view.lookup(EndpointKey(network: 0, mac: mac)) == nil { missed &+= 1 }
                }
                return missed
            }
        }
    }
}

/// Indices in pseudo-random order for little: a linear congruential generator's upper half
/// (Knuth, MMIX), scaled by a multiplication.
private struct IndexSequence {
    private var state: UInt64 = 1

    @inline(__always)
    mutating func next(below bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(truncatingIfNeeded: ((state >> 32) &* UInt64(bound)) >> 32)
    }
}
