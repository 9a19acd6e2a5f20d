import FoundationEssentials
import Lab

extension Bed {
    /// How many inner flows are looked at.
    static let entropyFlows = [1, 8, 64]
    /// What EC2 lets pass of one flow (5-tuple) outside of a cluster placement group, in Gbit/s.
    private static let flowLimit = 5.0
    /// What all flows send together, in Mbit/s: little enough for every system, so that flows,
    /// each paced to its part of it, send the same.
    private static let pace = 320

    /// The share of bytes of the largest outer 5-tuple with some inner TCP flows of equal rate,
    /// and how fast they together could be on EC2.
    func measureEntropy() throws -> ScenarioResult {
        var result: ScenarioResult?
        for flows in Self.entropyFlows {
            let part = try measureEntropy(flows: flows)
            result = result.map { Self.sum($0, part) } ?? part
        }
        guard let result else { throw BenchError("no number of flows to measure") }
        return result
    }

    private func measureEntropy(flows: Int) throws -> ScenarioResult {
        try countOuterFlows()
        let pace = "\(max(1, Self.pace / flows))M"
        let (report, cost) = try runIperf(
            ["-P", "\(flows)", "-b", pace, "-t", "1"], limit: 20)
        let bytes = try outerFlows()
        let total = bytes.reduce(0, +)
        guard let largest = bytes.max(), total > report.bytes else {
            throw BenchError("the wire carried \(total) bytes of \(report.bytes) in VXLAN")
        }
        let share = largest / total
        return ScenarioResult(
            figures: [
                "largest-share-\(flows)": share * 100, "outer-flows-\(flows)": Double(bytes.count),
                "ec2-limit-\(flows)": Self.flowLimit / share,
            ], gigabits: report.bytes * 8 / 1e9, cost: cost)
    }

    /// Counts bytes by outer source port, on the wire's far end: addresses and the other port
    /// are the same for all.
    private func countOuterFlows() throws {
        let ruleset = """
            table netdev bench-flows
            delete table netdev bench-flows
            table netdev bench-flows {
                set flows { type inet_service; size 65536; flags dynamic; counter; }
                chain ingress {
                    type filter hook ingress device eth0 priority 0;
                    udp dport 4789 update @flows { udp sport }
                }
            }

            """
        try Command(["nft", "-f", "-"], input: ruleset).inside(hosts[1]).check()
    }

    private func outerFlows() throws -> [Double] {
        let listing = try Command(["nft", "-j", "list", "set", "netdev", "bench-flows", "flows"])
            .inside(hosts[1]).check()
        return try JSONDecoder().decode(SetListing.self, from: Data(listing.utf8)).bytes
    }

    private static func sum(_ one: ScenarioResult, _ other: ScenarioResult) -> ScenarioResult {
        var sum = one
        sum.figures.merge(other.figures) { _, new in new }
        sum.gigabits = (one.gigabits ?? 0) + (other.gigabits ?? 0)
        sum.cost = one.cost + other.cost
        return sum
    }
}

/// What `nft -j list set` prints of a set with counters (libnftables-json(5)).
private struct SetListing: Decodable {
    struct Item: Decodable { var set: Elements? }
    struct Elements: Decodable { var elem: [Element]? }
    struct Element: Decodable { var elem: Counted }
    struct Counted: Decodable { var counter: Counter }
    struct Counter: Decodable { var bytes: Double }

    var nftables: [Item]

    var bytes: [Double] {
        nftables.compactMap(\.set?.elem).flatMap { $0 }.map(\.elem.counter.bytes)
    }
}
