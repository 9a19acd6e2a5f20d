import Lab
import Testing
import Wire

struct UnderlayPlanTests {
    @Test func hostsAreNumberedFromTen() {
        #expect(UnderlayPlan.address4(ofHost: 0).description == "172.31.0.10")
        #expect(UnderlayPlan.address4(ofHost: 2).description == "172.31.0.12")
        #expect(
            UnderlayPlan.address4(ofHost: UnderlayPlan.hostLimit - 1).description == "172.31.0.254")
    }

    @Test func ipv6ShowsTheSameNumber() {
        #expect(UnderlayPlan.address6(ofHost: 0).description == "fd00::10")
        #expect(UnderlayPlan.address6(ofHost: 89).description == "fd00::99")
        #expect(UnderlayPlan.address6(ofHost: 244).description == "fd00::254")
    }

    @Test func aMACShowsTheAddressItIsOf() throws {
        let address = try #require(IPv4Address("10.0.0.1"))
        #expect(UnderlayPlan.mac(for: address).description == "02:00:0a:00:00:01")
    }

    @Test func aVMsAddressHasAPrefixLength() {
        // String(...): a literal alone would be the initialiser that traps.
        #expect(VM.Address(String("10.0.0.1/24"))?.prefixLength == 24)
        #expect(VM.Address(String("fd01::1/64"))?.description == "fd01::1/64")
        for wrong in ["10.0.0.1", "10.0.0.1/33", "10.0.0/24", "fd01::1/129", "10.0.0.1/24/1", ""] {
            #expect(VM.Address(wrong) == nil, "\(wrong)")
        }
    }
}
