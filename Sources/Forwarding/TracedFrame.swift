package import Wire

/// What forwarding does with a frame that nobody has sent, and what it found on the way. Networks,
/// ports and peers are rows of the tables.
package struct TracedFrame {
    /// An endpoint as the table had it.
    package struct Known: Equatable {
        package let location: Location
        /// Seconds since it was last confirmed there; 0 for what is fixed.
        package let age: UInt32

        package init(_ found: (location: Location, seen: UInt32), now: UInt32) {
            location = found.location
            age = found.location.isFixed ? 0 : now &- found.seen
        }
    }

    /// A question of ARP or neighbour discovery, and what the neighbour table knows of it.
    package struct Question: Equatable {
        package let target: IPv6Address
        package let owner: Neighbor?
        /// Where the owner is.
        package let place: Location?
    }

    /// One of the places that the frame, or a copy of it, goes to.
    package struct Leg: Equatable {
        /// A port or a peer, never fixed.
        package let place: Location
        /// Why it ends before it gets there; nil if it does not.
        package var drop: Drop?
        /// Longest frame that a peer's path takes; 0 for a port.
        package var limit = 0

        init(_ place: Location) { self.place = place }
    }

    /// How a superframe is cut.
    package struct Cut: Equatable {
        /// Frames on the wire.
        package let frames: Int
        /// The longest of them, bytes.
        package let longest: Int
        /// Datagrams of one message, where the device segments.
        package let perMessage: Int

        init(_ plan: SegmentPlan, _ limits: Tracer.Limits) {
            frames = plan.count
            longest = plan.longestFrame
            perMessage = plan.segmentsPerTrain(limit: limits.messageBytes)
        }
    }

    /// What becomes of it. A flood that reaches nobody is a drop.
    package internal(set) var verdict = Verdict.drop(.runtFrame)
    /// Its network; nil if it got to none.
    package internal(set) var network: UInt16?
    /// The peer that it came from; nil for frames from ports and for strangers.
    package internal(set) var peer: UInt16?
    /// Where its headers are; nil if it is too short, or nobody looked.
    package internal(set) var layout: FrameLayout?
    package internal(set) var source = MACAddress.zero
    package internal(set) var destination = MACAddress.zero
    /// Set for superframes that can be cut.
    package internal(set) var cut: Cut?
    /// Set for superframes that can not.
    package internal(set) var refusal: SegmentRefusal?
    /// The source and the destination in the endpoint table.
    package internal(set) var knownSource: Known?
    package internal(set) var knownDestination: Known?
    /// What the tables' writer would be told.
    package internal(set) var sighting: Sighting?
    package internal(set) var question: Question?
    /// The frame that goes back.
    package internal(set) var reply: [UInt8]?
    /// Where it goes, ports before peers.
    package internal(set) var legs: [Leg] = []
    /// What picks the outer source port.
    package internal(set) var flowHash: UInt32 = 0
    /// The congestion mark that the outer header gets.
    package internal(set) var mark: UInt8 = 0
}
