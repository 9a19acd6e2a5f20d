import Lab
import Testing
import Wire

struct VPCFilterTests {
    @Test func registersPortMACAndAddressTogether() throws {
        let mac = try #require(MACAddress("02:00:ac:1f:00:0a"))
        let members = try ["172.31.0.10", "fd00::10"].map {
            VPCFilter.Member(port: "one-0", mac: mac, address: try #require(IPAddress($0)))
        }
        #expect(
            VPCFilter.registration(of: members) == """
                add element bridge vpc members4 { "one-0" . 02:00:ac:1f:00:0a . 172.31.0.10 }
                add element bridge vpc members6 { "one-0" . 02:00:ac:1f:00:0a . fd00::10 }

                """)
    }

    @Test func everyDropHasItsCounterAndIsUsed() {
        for drop in VPCDrop.allCases {
            #expect(VPCFilter.ruleset.contains("counter \(drop.rawValue) { }"))
            #expect(VPCFilter.ruleset.contains("counter name \(drop.rawValue) drop"))
        }
    }

    @Test func readsCountersAsNftListsThem() {
        let listing = """
            table bridge vpc {
            \tcounter spoofed_arp {
            \t\tpackets 3 bytes 126
            \t}

            \tcounter broadcast {
            \t\tpackets 12345678901 bytes 1
            \t}
            }
            """
        #expect(
            VPCFilter.drops(inListing: listing) == [
                .spoofedARP: 3, .broadcast: 12_345_678_901,
            ])
    }
}
