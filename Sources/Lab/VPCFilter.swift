package import Wire

/// What the emulated provider's switch drops, each counted apart.
public enum VPCDrop: String, Sendable, CaseIterable {
    /// IPv4 whose source IP and MAC are not registered together for the host it came from.
    case spoofedIPv4 = "spoofed_ipv4"
    /// IPv6 likewise.
    case spoofedIPv6 = "spoofed_ipv6"
    /// ARP whose sender IP and MAC are not registered together for the host it came from.
    case spoofedARP = "spoofed_arp"
    /// IPv6 listener reports (MLD, RFC 3810), which a host's kernel sends unasked.
    case listenerReport = "listener_report"
    /// Anything else to a multicast MAC but neighbour discovery.
    case multicast
    /// Anything to the broadcast MAC but ARP.
    case broadcast
    /// Neither IPv4, IPv6 nor ARP; VLAN tags.
    case other
}

/// The nftables ruleset of the switch: what a provider's network lets pass.
///
/// Like EC2 it admits a frame by the pair of its source IP and MAC, and for the interface it came
/// from only. It runs in the bridge's prerouting, before the bridge learns from the frame or
/// copies it to several ports, so that one frame counts once.
package struct VPCFilter {
    package static let table = "vpc"

    /// A source that a host may use: the switch's port it is on, and the pair.
    package struct Member: Equatable {
        package var port: String
        package var mac: MACAddress
        package var address: IPAddress

        package var set: String { address.isIPv6 ? "members6" : "members4" }
        package init(port: String, mac: MACAddress, address: IPAddress) {
            self.port = port
            self.mac = mac
            self.address = address
        }

        package var element: String { "\"\(port)\" . \(mac) . \(address)" }
    }

    /// The table with nobody registered.
    package static let ruleset: String = {
        let counters = VPCDrop.allCases.map { "    counter \($0.rawValue) { }" }
        return """
            table bridge \(table) {
            \(counters.joined(separator: "\n"))
                set members4 { type ifname . ether_addr . ipv4_addr; }
                set members6 { type ifname . ether_addr . ipv6_addr; }

                chain admit {
                    type filter hook prerouting priority -300; policy drop;
                    meta iifname . arp saddr ether . arp saddr ip @members4 accept
                    ether type arp counter name \(VPCDrop.spoofedARP.rawValue) drop
                    ether daddr ff:ff:ff:ff:ff:ff counter name \(VPCDrop.broadcast.rawValue) drop
                    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } goto ipv6
                    icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } \
            counter name \(VPCDrop.listenerReport.rawValue) drop
                    ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 \
            counter name \(VPCDrop.multicast.rawValue) drop
                    meta iifname . ether saddr . ip saddr @members4 accept
                    ether type ip counter name \(VPCDrop.spoofedIPv4.rawValue) drop
                    ether type ip6 goto ipv6
                    counter name \(VPCDrop.other.rawValue) drop
                }

                chain ipv6 {
                    meta iifname . ether saddr . ip6 saddr @members6 accept
                    counter name \(VPCDrop.spoofedIPv6.rawValue) drop
                }
            }
            """
    }()

    /// The commands that register members in the table.
    package static func registration(of members: [Member]) -> String {
        members.map { "add element bridge \(table) \($0.set) { \($0.element) }\n" }.joined()
    }

    /// Reads the counters out of what `nft list counters` prints.
    package static func drops(inListing listing: String) -> [VPCDrop: UInt64] {
        var drops: [VPCDrop: UInt64] = [:]
        var current: VPCDrop?
        for line in listing.split(separator: "\n") {
            let words = line.split(separator: " ").flatMap { $0.split(separator: "\t") }
            if words.first == "counter", words.count > 1 {
                current = VPCDrop(rawValue: String(words[1]))
            } else if words.first == "packets", words.count > 1, let drop = current {
                drops[drop] = UInt64(words[1])
            }
        }
        return drops
    }
}
