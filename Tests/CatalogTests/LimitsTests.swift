import Catalog
import ControlAPI
import Testing

/// The limits of a port that is configured so.
private func limits(_ text: String) throws -> PortLimits {
    let yaml = """
        host: a
        underlay: {address: 192.0.2.1}
        networks: [{name: red, vni: 1}]
        ports: [{name: p, network: red, kind: tap, limits: \(text)}]
        """
    return try Configuration.parse(yaml: yaml, file: "weft.yaml").ports[0].limits
}

@Suite("Limits of ports")
struct LimitsTests {
    @Test(
        "numbers with units",
        arguments: [
            ("8000", 8000), ("8k", 8000), ("500M", 500_000_000), ("2.5G", 2_500_000_000),
            ("1T", 1_000_000_000_000), ("0.125M", 125_000), ("\"500M\"", 500_000_000),
        ])
    func rate(text: String, rate: Int) throws {
        #expect(
            try limits("{fromVM: {rate: \(text)}}") == PortLimits(fromVM: RateLimit(rate: rate)))
    }

    @Test(
        "a burst has units of either kind",
        arguments: [("2000", 2000), ("256Ki", 262_144), ("1M", 1_000_000), ("1.5Mi", 1_572_864)])
    func burst(text: String, burst: Int) throws {
        #expect(
            try limits("{toVM: {rate: 1M, burst: \(text), packets: 50k}}")
                == PortLimits(toVM: RateLimit(rate: 1_000_000, burst: burst, packets: 50_000)))
    }

    @Test("the default burst is what comes in 200 ms, and a superframe at least")
    func defaultBurst() {
        #expect(RateLimit(rate: 500_000_000).burstInEffect == 12_500_000)
        #expect(RateLimit(rate: 8000).burstInEffect == 65536)
        #expect(RateLimit(rate: 8000, burst: 2000).burstInEffect == 2000)
        #expect(RateLimit(packets: 10).burstInEffect == nil)
        #expect(RateLimit.frameBurst(packets: 100_000) == 20_000)
    }

    @Test(
        "what is wrong is said",
        arguments: [
            ("{fromVM: {rate: fast}}", "limits.fromVM.rate: found `fast`, expected a number of"),
            ("{fromVM: {rate: 500m}}", "found `500m`, expected a number of bits per second"),
            ("{fromVM: {rate: 1Ki}}", "found `1Ki`"),
            ("{fromVM: {rate: 7k}}", "7k is out of range, expected a number of bits per second"),
            ("{fromVM: {rate: 2T}}", "2T is out of range"),
            ("{fromVM: {rate: -1M}}", "found `-1M`"), ("{fromVM: {rate: 1.M}}", "found `1.M`"),
            ("{fromVM: {rate: .5M}}", "found `.5M`"), ("{fromVM: {rate: 1e9}}", "found `1e9`"),
            ("{fromVM: {rate: 99999999999999999999}}", "found `99999999999999999999`"),
            ("{fromVM: {rate: 99999999999999T}}", "found `99999999999999T`"),
            ("{fromVM: {packets: 0.5}}", "found `0.5`"),
            ("{fromVM: {packets: 0}}", "0 is out of range"),
            ("{toVM: {burst: 1M}}", "limits nothing"), ("{toVM: {}}", "limits nothing"),
            ("{toVM: {packets: 1, burst: 1M}}", "`burst` without `rate`"),
            ("{toVM: {rate: 1M, burst: 1999}}", "1999 is out of range"),
            ("{in: {rate: 1M}}", "unknown key; expected one of `fromVM`, `toVM`"),
            ("500M", "expected a map with the keys `fromVM`, `toVM`"),
        ])
    func problem(text: String, expected: String) {
        #expect {
            _ = try limits(text)
        } throws: { error in
            "\(error)".contains(expected)
        }
    }

    @Test("what is written is read as the same")
    func writing() throws {
        let written = try limits(
            "{fromVM: {rate: 1500k, burst: 262144, packets: 1234}, toVM: {rate: 12345678}}")
        var port = Port(name: "p", network: "red", kind: .tap, device: "d")
        port.limits = written
        guard case .object(let fields) = port.json, let json = fields["limits"] else {
            Issue.record("no limits in \(port.json)")
            return
        }
        let text = String(decoding: try JSON.encode(json), as: UTF8.self)
        #expect(
            text
                == #"{"fromVM":{"burst":"256Ki","packets":1234,"rate":"1500k"},"#
                + #""toVM":{"rate":12345678}}"# + "\n")
        #expect(try limits(text) == written)
        port.limits = PortLimits()
        guard case .object(let none) = port.json else { return }
        #expect(none["limits"] == nil)
    }
}
