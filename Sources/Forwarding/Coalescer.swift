// Merging the segments of a stream into superframes (GRO), on the way to a port.
//
// The underlay carries frames of the wire's size; a port takes 64 KiB at once. Between the two, all
// frames of one turn of the worker's loop go through a coalescer:
//
//   add      a1 b1 a2 a3 x b2 a4          in the order of arrival
//   items    [a1 a2 a3 a4] [b1 b2] [x]    in the order of their first frames
//
// What may merge with what is in CoalescerRules.swift. The order within a flow never changes: a
// frame is appended to its flow's latest item or starts a new one behind it, and what can not be
// merged closes that item for good. Nothing waits: a turn's items are read out and delivered, then
// `reset` forgets everything.
//
// Frames stay where they are. An item is a list of vectors: its first frame whole, with headers
// patched in place, then the payloads of the others. All memory is taken once.

public import Glibc
public import Wire

/// Merges the frames of one turn into as few deliveries as their flows allow.
///
/// The memory of every frame that was added must stay as it is until the items are delivered.
public struct Coalescer: ~Copyable {
    /// Frames in one TCP item: 64 KiB in segments of 536 bytes, with a margin to IOV_MAX.
    public static let frameLimit = 128
    /// Datagrams in one UDP item (UDP_MAX_SEGMENTS of the receiving kernel, where older).
    public static let datagramLimit = 64

    /// One delivery: a superframe, or a frame as it came.
    @frozen
    public struct Item: Equatable, Sendable {
        /// As it was given to `add`.
        public let port: UInt32
        /// All zero for a frame that was not merged.
        public let virtio: VirtioHeader
        /// Frames merged, 1 or more: the number of vectors.
        public let frames: Int
        /// Bytes of the delivered frame, without a virtio header.
        public let bytes: Int

        /// Bytes of the merged frames as they came, each with its headers.
        @inlinable
        public var wireBytes: Int { bytes &+ (frames &- 1) &* Int(virtio.headerLength) }

        /// What `Coalescer.item` tells.
        @inlinable
        public init(port: UInt32, virtio: VirtioHeader, frames: Int, bytes: Int) {
            self.port = port
            self.virtio = virtio
            self.frames = frames
            self.bytes = bytes
        }
    }

    /// Items, in the order in which they are to be delivered.
    public var itemCount: Int { entryCount }

    /// Frames that `add` takes between two resets.
    public let capacity: Int

    /// Per frame: the whole of an item's first frame, the payload of the others.
    private let frames: UnsafeMutablePointer<iovec>
    /// Per frame: the next one of its item. Not set for the last.
    private let successors: UnsafeMutablePointer<UInt32>
    private var frameCount = 0
    private let entries: UnsafeMutablePointer<Entry>
    private var entryCount = 0
    private var flows: FlowSlots
    /// The item that was last merged into or opened; always the latest of its flow.
    private var recent: UnsafeMutablePointer<Entry>?

    /// Takes all memory: about 70 bytes per frame and 16 per flow slot.
    /// - Parameters:
    ///   - capacity: frames per turn, at most 2^24.
    ///   - flowSlots: flows that can be open at once, rounded up to a power of two, at least 8.
    ///     Above it, or where four flows meet in one place, the oldest is no longer merged into.
    public init(capacity: Int, flowSlots: Int = 256) {
        precondition(capacity > 0 && capacity <= 1 << 24, "capacity must be in 1...2^24")
        self.capacity = capacity
        frames = .allocate(capacity: capacity)
        successors = .allocate(capacity: capacity)
        entries = .allocate(capacity: capacity)
        flows = FlowSlots(capacity: flowSlots)
    }

    deinit {
        frames.deallocate()
        successors.deallocate()
        entries.deallocate()
    }

    /// Forgets all frames.
    public mutating func reset() {
        frameCount = 0
        entryCount = 0
        recent = nil
        flows.removeAll()
    }
}

// MARK: Adding

extension Coalescer {
    /// Takes a frame: appends it to its flow's latest item or makes it an item of its own.
    /// - Parameters:
    ///   - layout: of this frame.
    ///   - port: where it is to be delivered; frames of different ports never merge.
    ///   - takesUDPSuperframes: whether that port takes USO.
    /// - Returns: false, and nothing is taken, when `capacity` frames are already there.
    public mutating func add(
        _ frame: UnsafeMutableRawPointer, length: Int, layout: FrameLayout, port: UInt32,
        takesUDPSuperframes: Bool
    ) -> Bool {
        guard frameCount < capacity else { return false }
        guard
            let segment = Segment(
                frame, layout, port: port, takesUDPSuperframes: takesUDPSuperframes)
        else {
            append(frame, length, port)
            return true
        }
        // The next segment of the stream that the last frame belonged to is the common case, and
        // needs no look-up. A hash of 0 stands for one that was not needed.
        var hash: UInt32 = 0
        let latest: UnsafeMutablePointer<Entry>?
        if let recent, isSameFlow(recent, segment) {
            latest = recent
        } else {
            hash = FlowHash.of(frame, layout) ^ port
            latest = find(segment, hash)
        }
        guard let latest else {
            if segment.mayOpen {
                flows.insert(open(segment, length), hash)
            } else {
                append(frame, length, port)
            }
            return true
        }
        switch merge(segment, into: latest) {
        case .merged:
            recent = latest
        case .corrupt:
            // Its receiver will drop it, so nothing behind it needs to wait for it.
            append(frame, length, port)
        case .refused:
            latest.pointee.state = .closed
            if segment.mayOpen {
                if hash == 0 { hash = FlowHash.of(frame, layout) ^ port }
                flows.replace(latest, by: open(segment, length), hash)
            } else {
                append(frame, length, port)
            }
        }
        return true
    }

    private enum Outcome { case merged, refused, corrupt }

    @inline(__always)
    private mutating func merge(
        _ segment: Segment, into entry: UnsafeMutablePointer<Entry>
    ) -> Outcome {
        guard entry.pointee.state != .closed, segment.isMergeable, continues(entry, segment)
        else { return .refused }
        // A superframe vouches for its bytes: nothing goes into it unverified.
        if entry.pointee.state == .unverified {
            guard firstIsIntact(entry) else { return .refused }
            entry.pointee.state = .verified
        }
        guard segment.isIntact else { return .corrupt }
        let index = frameCount
        // SAFETY: `add` has made sure of room for one more frame, and a mergeable segment's header
        // ends within its packet.
        frames[index] = iovec(
            iov_base: segment.frame + segment.headerLength, iov_len: segment.payload)
        successors[Int(entry.pointee.last)] = UInt32(truncatingIfNeeded: index)
        frameCount = index &+ 1
        entry.pointee.append(segment, UInt32(truncatingIfNeeded: index))
        return .merged
    }

    /// Makes a frame an item that is never merged into.
    @discardableResult
    private mutating func append(
        _ frame: UnsafeMutableRawPointer, _ length: Int, _ port: UInt32
    ) -> UnsafeMutablePointer<Entry> {
        let entry = entries + entryCount
        frames[frameCount] = iovec(iov_base: frame, iov_len: length)
        entry.initialize(to: Entry(frame: UInt32(truncatingIfNeeded: frameCount), port: port))
        frameCount &+= 1
        entryCount &+= 1
        return entry
    }

    /// Makes a frame an item that the next frames of its flow may be merged into.
    private mutating func open(
        _ segment: Segment, _ length: Int
    ) -> UnsafeMutablePointer<Entry> {
        let entry = append(segment.frame, length, segment.port)
        entry.pointee.begin(segment)
        recent = entry
        return entry
    }

    // MARK: Flows

    @inline(__always)
    private func find(_ segment: Segment, _ hash: UInt32) -> UnsafeMutablePointer<Entry>? {
        let set = flows.set(hash)
        for way in 0..<FlowSlots.ways {
            if let entry = set[way].entry, set[way].hash == hash, isSameFlow(entry, segment) {
                return entry
            }
        }
        return nil
    }

    @inline(__always)
    private func first(_ entry: UnsafeMutablePointer<Entry>) -> UnsafeMutableRawPointer {
        frames[Int(entry.pointee.first)].iov_base
    }

    @inline(__always)
    private func isSameFlow(_ entry: UnsafeMutablePointer<Entry>, _ segment: Segment) -> Bool {
        entry.pointee.isSameFlow(first(entry), segment)
    }

    @inline(__always)
    private func continues(_ entry: UnsafeMutablePointer<Entry>, _ segment: Segment) -> Bool {
        entry.pointee.isContinued(first(entry), by: segment)
    }

    private func firstIsIntact(_ entry: UnsafeMutablePointer<Entry>) -> Bool {
        Segment.isIntact(
            first(entry), entry.pointee.kind, network: Int(entry.pointee.network),
            transport: Int(entry.pointee.transport), end: Int(entry.pointee.packetEnd))
    }
}

// MARK: Reading out

extension Coalescer {
    /// An item, `index` in `0..<itemCount`.
    public func item(_ index: Int) -> Item {
        let entry = entries[index]
        guard entry.count > 1 else {
            return Item(
                port: entry.port, virtio: VirtioHeader(), frames: 1,
                bytes: frames[Int(entry.first)].iov_len)
        }
        return Item(
            port: entry.port, virtio: entry.virtio, frames: Int(entry.count),
            bytes: Int(entry.headerLength) &+ Int(entry.payload))
    }

    /// Writes the vectors of an item, `index` in `0..<itemCount`: as many as it has frames, at
    /// most `frameLimit`. A superframe's first frame gets its headers patched; the bytes of a
    /// frame that was not merged are as they came.
    public func vectors(of index: Int, into vectors: UnsafeMutablePointer<iovec>) -> Int {
        let entry = entries[index]
        var frame = Int(entry.first)
        vectors[0] = frames[frame]
        let count = Int(entry.count)
        guard count > 1 else { return 1 }
        entry.patchHeaders(vectors[0].iov_base)
        // Padding behind the first packet is not payload.
        vectors[0].iov_len = Int(entry.packetEnd)
        for position in 1..<count {
            frame = Int(successors[frame])
            vectors[position] = frames[frame]
        }
        return count
    }
}
