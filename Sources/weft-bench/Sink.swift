import ArgumentParser
import BenchSupport
import CLinux
import FoundationEssentials
import Glibc
import Lab

/// What `weft-bench sink` prints.
struct SinkReport: Codable {
    /// Frames that arrived, each counted once.
    var unique: Int
    /// Arrivals of a frame that had arrived.
    var duplicates: Int
    /// Arrivals after a later frame.
    var reordered: Int
    /// Frames that the kernel could not hand over because the sink fell behind.
    var droppedBySink: Int
}

/// `weft-bench sink`: counts what `weft-bench generate` sends, until SIGTERM.
struct SinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink", abstract: "Count numbered frames (used by run).",
        shouldDisplay: false)

    @Option(name: .customLong("run"), help: "The number of the run, whose frames count.")
    var number: UInt32
    @Option(help: "How many frames there will be.")
    var frames: Int
    @Option(help: "Ends after so many seconds, or at SIGTERM.")
    var seconds: Int

    func run() throws {
        Interruption.catchSignals()
        var ring = try PacketRing(interface: "eth0")
        var account = SequenceAccount(capacity: frames)
        print("ready")
        fflush(nil)
        let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while !Interruption.isRequested, monotonicNanoseconds() < deadline {
            ring.wait()
            take(from: &ring, into: &account)
        }
        // The kernel hands over a block that is not full a moment later.
        usleep(3 * PacketRing.patience * 1000)
        take(from: &ring, into: &account)
        let report = SinkReport(
            unique: account.unique, duplicates: account.duplicates, reordered: account.reordered,
            droppedBySink: ring.dropped())
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    private func take(from ring: inout PacketRing, into account: inout SequenceAccount) {
        ring.takeAll { frame in
            ProbeFrame.forEachSequence(in: frame, run: number) { account.record($0) }
        }
    }
}

/// What an interface receives, in a ring of blocks that is shared with the kernel (TPACKET_V3,
/// packet(7)): no system call and no wake-up per frame, only per block.
private struct PacketRing: ~Copyable {
    /// Milliseconds after which the kernel hands over a block that is not full.
    static let patience: UInt32 = 10
    private static let blockSize = 1 << 18
    private static let blockCount = 64

    private let socket: Int32
    private let memory: UnsafeMutableRawPointer
    private var next = 0

    init(interface: String) throws {
        (socket, memory) = try Self.open(interface: interface)
    }

    private static func open(
        interface: String
    ) throws -> (socket: Int32, memory: UnsafeMutableRawPointer) {
        let socket = try openPacketSocket(interface: interface, receives: true)
        var request = tpacket_req3()
        request.tp_block_size = UInt32(Self.blockSize)
        request.tp_block_nr = UInt32(Self.blockCount)
        // Without meaning in this version, but checked.
        request.tp_frame_size = 2048
        request.tp_frame_nr = UInt32(Self.blockSize / 2048 * Self.blockCount)
        request.tp_retire_blk_tov = Self.patience
        var version = Int32(TPACKET_V3.rawValue)
        var ignoreOutgoing: Int32 = 1
        let word = socklen_t(MemoryLayout<Int32>.size)
        let failed =
            setsockopt(socket, SOL_PACKET, PACKET_VERSION, &version, word) != 0
            || setsockopt(
                socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignoreOutgoing, word) != 0
            || setsockopt(
                socket, SOL_PACKET, PACKET_RX_RING, &request,
                socklen_t(MemoryLayout<tpacket_req3>.size)) != 0
        let mapped =
            failed
            ? nil
            : mmap(
                nil, Self.blockSize * Self.blockCount, PROT_READ | PROT_WRITE, MAP_SHARED, socket,
                0)
        guard let mapped, mapped != MAP_FAILED else {
            let code = errno
            close(socket)
            throw BenchError.system("ring of packets on \(interface)", code: code)
        }
        return (socket, mapped)
    }

    deinit {
        munmap(memory, Self.blockSize * Self.blockCount)
        close(socket)
    }

    /// Waits until a block is there, for up to a tenth of a second.
    func wait() {
        var event = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        poll(&event, 1, 100)
    }

    /// Hands out the frames of all blocks that are there and gives the blocks back.
    mutating func takeAll(_ body: (UnsafeRawBufferPointer) -> Void) {
        // No more than once around: then it is time to look whether the sink is to end.
        for _ in 0..<Self.blockCount {
            let block = memory + next * Self.blockSize
            // SAFETY: the block lies within the mapping; its header begins with two words, then
            // come the status and the rest of tpacket_hdr_v1.
            let status = (block + 8).assumingMemoryBound(to: UInt32.self)
            guard weft_load_acquire_u32(status) & UInt32(TP_STATUS_USER) != 0 else { return }
            let header = (block + 8).loadUnaligned(as: tpacket_hdr_v1.self)
            var offset = Int(header.offset_to_first_pkt)
            for _ in 0..<header.num_pkts {
                // SAFETY: the kernel wrote these offsets and lengths, within the block.
                let packet = (block + offset).loadUnaligned(as: tpacket3_hdr.self)
                body(
                    UnsafeRawBufferPointer(
                        start: block + offset + Int(packet.tp_mac), count: Int(packet.tp_snaplen)))
                offset += Int(packet.tp_next_offset)
            }
            weft_store_release_u32(status, UInt32(TP_STATUS_KERNEL))
            next = (next + 1) % Self.blockCount
        }
    }

    /// Frames that found no block free. Reading it sets it back.
    func dropped() -> Int {
        var statistics = tpacket_stats_v3()
        var length = socklen_t(MemoryLayout<tpacket_stats_v3>.size)
        getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &length)
        return Int(statistics.tp_drops)
    }
}
