import ControlAPI
import Lab
import Testing

extension Scenarios {
    /// The same binaries on Debian 12's own kernel, which is older than what weftd likes best.
    @Suite(
        "Debian 12's kernel",
        .enabled(
            if: KernelGuest.isPossible,
            "WEFT_BIN names the folder of weftd; scripts/install.sh test fetches what guests need"))
    struct StockKernelTests {
        @Test("weftd does without what Linux 6.1 lacks, says so, and carries all the same")
        func stepsDown() throws {
            let guest = try KernelGuest()
            try #require(guest.findings["end"] == "well", "\(guest)")
            #expect(guest.findings["kernel"]?.hasPrefix("6.1.") == true)
            let sent = try #require(guest.findings["sent"], "\(guest)")
            #expect(sent.count == 64)
            for way in Self.ways {
                #expect(guest.findings["answers-\(way)"] == "2", "\(way): \(guest)")
                #expect(guest.findings["received-\(way)"] == sent, "\(way): \(guest)")
            }

            // The TAP leaves no uncut UDP to weftd, and weftd did not believe that it would.
            #expect(guest.findings["tap-udp-segmentation"]?.hasPrefix("off") == true)
            #expect(guest.console.contains("offloads=\"csum tso4 tso6"), "\(guest)")
            #expect(!guest.console.contains("uso4"), "\(guest)")
            for host in ["a", "b"] {
                #expect(guest.log(of: host, says: "without readMultishot: needs Linux 6.7"))
                let status = try guest.status("probed", of: host)
                #expect(status.workers.map(\.features) == [Self.probed])
                // Datagrams left in trains, so UDP_SEGMENT was not only there but did its work.
                let totals = status.counters.totals
                let (messages, datagrams) = (totals["messagesSent"], totals["datagramsSent"])
                #expect(try #require(messages) * 2 < #require(datagrams))
            }
            try expectStepDownWhileRunning(guest)
            for name in ["probed", "refused"] {
                for host in ["a", "b"] {
                    let books = Books(try guest.status(name, of: host).counters)
                    #expect(books.areBalanced, "\(name), \(host): \(books)")
                }
            }
            #expect(!guest.console.contains("\nkernel: "), "\(guest)")
        }

        /// Host a's card lost its checksum offload, so that a train was refused: the host, and it
        /// alone, then sends datagrams one by one.
        private func expectStepDownWhileRunning(_ guest: KernelGuest) throws {
            var expected = Self.probed
            for name in ["udpSegment", "trains"] {
                expected[name] = FeatureStatus(
                    inUse: false, reason: "a device refused a segmented message")
            }
            let (refused, untouched) = (
                try guest.status("refused", of: "a"), try guest.status("refused", of: "b")
            )
            #expect(refused.workers.map(\.features) == [expected])
            #expect(untouched.workers.map(\.features) == [Self.probed])
            let message = "without udpSegment: a device refused a segmented message"
            #expect(guest.log(of: "a", says: message))
            #expect(!guest.log(of: "b", says: message))
            let drops = try #require(refused.counters.dropsByReason["underlayError"])
            #expect(drops.count > 0, "nothing was refused")
        }

        private static let ways = [
            "probed-va-vb", "probed-vb-va", "probed-va-vc", "probed-vc-va", "probed-vb-vc",
            "refused-va-vb", "refused-vb-va",
        ]

        private static let probed = [
            "uso": FeatureStatus(inUse: false, reason: "needs Linux 6.2"),
            "readMultishot": FeatureStatus(inUse: false, reason: "needs Linux 6.7"),
            "udpSegment": FeatureStatus(inUse: true), "udpGRO": FeatureStatus(inUse: true),
            "coalesce": FeatureStatus(inUse: true), "trains": FeatureStatus(inUse: true),
            "deferTaskWork": FeatureStatus(inUse: true),
        ]
    }
}

extension KernelGuest {
    /// What the daemon of a host told of itself.
    fileprivate func status(_ name: String, of host: String) throws -> Status {
        let json = try #require(findings["status-\(name)-\(host)"], "\(self)")
        return try JSON.decode(Status.self, from: Array(json.utf8))
    }

    /// Whether the daemon of a host logged this.
    fileprivate func log(of host: String, says text: String) -> Bool {
        console.split(whereSeparator: \.isNewline).contains {
            $0.hasPrefix("\(host): ") && $0.contains(text)
        }
    }
}
