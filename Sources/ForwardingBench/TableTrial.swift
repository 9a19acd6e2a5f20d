// The writer's side of the tables at scale: filling, learning, forgetting.

import Forwarding
import Wire

/// The tables of a host with one network, as their writer uses them.
package final class TableTrial {
    private let keeper = TableKeeper(endpointLimit: 1 << 20)
    private let queue: LearningQueue
    private let reader: Reader
    private var now: UInt32 = 1000
    private static let ageing: UInt32 = 300

    package init() {
        (queue, reader) = keeper.addWorker()
        var network = TopologyDescription.Network(vni: 100)
        network.ageing = Self.ageing
        var description = TopologyDescription()
        description.networks = [network]
        keeper.publish(description)
    }

    deinit { queue.deallocate() }

    /// Endpoints in the table.
    package var count: Int { keeper.endpoints.count }

    /// Puts endpoints that are not there yet into the table, as configuration does.
    package func insert(_ indices: Range<Int>) {
        reader.quiescent()
        for index in indices {
            keeper.endpoints.set(
                EndpointKey(network: 0, mac: ForwardingRig.mac(index)), .peer(0), seen: now)
        }
    }

    /// Has a worker report endpoints with their IPv4 addresses, and the writer apply that, a queue
    /// at a time.
    package func learn(_ indices: Range<Int>) {
        var next = indices.lowerBound
        while next < indices.upperBound {
            reader.quiescent()
            let end = min(indices.upperBound, next + Int(LearningQueue.capacity))
            for index in next..<end {
                let address = IPv4Address(bits: 0x0a00_0000 + UInt32(index))
                let sighting = Sighting(
                    endpoint: EndpointKey(network: 0, mac: ForwardingRig.mac(index)),
                    location: .peer(0), address: IPv6Address(mapping: address))
                precondition(queue.report(sighting, now: now), "the queue was emptied")
            }
            keeper.applySightings(now: now)
            next = end
        }
    }

    /// Lets the ageing time pass for everything.
    package func passTime() { now += Self.ageing + 1 }

    /// The writer's work of one second: forgets what has aged in a part of the table.
    package func age() {
        reader.quiescent()
        keeper.age(now: now)
    }
}
