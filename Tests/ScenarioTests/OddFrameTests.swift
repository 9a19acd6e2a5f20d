import ControlAPI
import Lab
import TestFrames
import Testing
import Wire

//   one-0 ─────── switch ─────── one-1
//   ├─ guest                     └─ far 10.0.0.3
//   └─ beside 10.0.0.2

extension Scenarios {
    /// Offload headers as no honest guest writes them, through the TAP of a QEMU.
    @Suite("Odd frames") struct OddFrameTests {
        @Test("a superframe that no virtio header describes ends nothing") func fragmentation()
            throws
        {
            try withGuest { play, guest, beside, far in
                for vm in [beside, far] {
                    let capture = try Capture(play, of: Station(vm), "udp")
                    let good = (noOffload, frame(from: guest, to: vm).udp(payload: [1, 2, 3]))
                    // UFO: a packet socket cannot say what it is (EINVAL).
                    let odd = (
                        header(gsoType: 3, headerLength: 42, gsoSize: 1400),
                        frame(from: guest, to: vm).udp(payload: payloadBytes(3000))
                    )
                    let before = try play.drops("malformedOffload", host(play))
                    let beforeAtPort = try play.port("guest").counters.drops
                    try play.send([good, odd, good, odd, good], through: "guest0", on: host(play))
                    #expect(try eventually { try capture.count() == 3 }, "to \(vm.name)")
                    #expect(try play.drops("malformedOffload", host(play)) == before + 2)
                    #expect(try play.port("guest").counters.drops == beforeAtPort + 2)
                }
            }
        }

        @Test("a checksum is not completed into an IP header") func checksum() throws {
            try withGuest { play, guest, beside, far in
                for vm in [beside, far] {
                    let capture = try Capture(play, of: Station(vm), "udp")
                    let frame = frame(from: guest, to: vm)
                        .udp(payload: payloadBytes(100), checksum: .partial)
                    // Into the source address, the destination address, the header's checksum.
                    // The kernel itself refuses a start before the 20th byte.
                    let odd = [(20, 6), (26, 0), (20, 10), (22, 2)].map {
                        (header(checksumStart: $0, checksumOffset: $1), frame)
                    }
                    let good = (header(checksumStart: 34, checksumOffset: 6), frame)
                    let before = try play.drops("malformedOffload", host(play))
                    try play.send(odd + [good], through: "guest0", on: host(play))
                    #expect(try eventually { try capture.count() == 1 }, "to \(vm.name)")
                    #expect(try play.drops("malformedOffload", host(play)) == before + 4)
                }
            }
        }

        // MARK: Vocabulary

        /// One host with a guest, whose TAP is there without its QEMU, and two that hear it.
        private func withGuest(
            _ body: (Scenario, MACAddress, _ beside: VM, _ far: VM) throws -> Void
        ) throws {
            try scenario { play in
                let hosts = try play.hosts(2)
                let beside = try play.vm("beside", 2, on: hosts[0])
                let far = try play.vm("far", 3, on: hosts[1])
                try hosts[0].namespace.sh(
                    "ip", "tuntap", "add", "guest0", "mode", "tap", "vnet_hdr")
                try play.start(hosts[1])
                try play.start(hosts[0]) {
                    $0.ports.append(
                        WeftdConfiguration.Port(
                            name: "guest", network: "blue", kind: "interface", device: "guest0"))
                }
                try play.expectReachable(Station(beside), Station(far))
                try body(play, MACAddress(bits: 0x0200_0a00_0001), beside, far)
            }
        }

        private func host(_ play: Scenario) -> Host { play.lab.hosts[0] }

        private func frame(from guest: MACAddress, to vm: VM) -> FrameBuilder {
            var frame = FrameBuilder()
            frame.sourceMAC = guest
            frame.destinationMAC = vm.mac
            frame.destination = vm.addresses[0].address
            return frame
        }

        private var noOffload: [UInt8] { [UInt8](repeating: 0, count: 10) }

        /// A virtio_net_hdr (virtio 1.2 section 5.1.6): flags, gso_type, then little-endian
        /// hdr_len, gso_size, csum_start, csum_offset.
        private func header(
            gsoType: UInt8 = 0, headerLength: Int = 0, gsoSize: Int = 0, checksumStart: Int = 0,
            checksumOffset: Int = 0
        ) -> [UInt8] {
            let needsChecksum: UInt8 = checksumStart > 0 ? 1 : 0
            return [needsChecksum, gsoType]
                + [headerLength, gsoSize, checksumStart, checksumOffset].flatMap {
                    [UInt8($0 & 0xff), UInt8($0 >> 8)]
                }
        }
    }
}
