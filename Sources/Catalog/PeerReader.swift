import Wire

/// Reads the list of peers.
struct PeerReader {
    static let keys = ["name", "address", "networks"]

    let host: String?
    let underlay: Underlay?
    let names: Names

    func read(_ items: [Value]) -> [Peer] {
        var seen: [IPAddress: String] = [:]
        var family = underlay?.address.map { (isIPv6: $0.isIPv6, of: "the underlay's address") }
        var peers: [Peer] = []
        for item in items {
            guard let fields = item.fields(Self.keys) else { continue }
            let nameValue = fields.required("name", "the peer's name")
            let name = nameValue?.name()
            if let name, name == host {
                nameValue?.report("\(quoted(name)) is this host: list only the others")
            }
            let networks = fields["networks"]?.distinct(of: "network names", names.networks.resolve)
            let value = fields.required("address", "the peer's address on the underlay")
            guard let value, let address = value.unicastAddress() else { continue }
            if address == underlay?.address {
                value.report("\(address) is this host's own address: list only the others")
            } else if let other = seen.updateValue(item.path, forKey: address) {
                value.report("\(address) is already the address of `\(other)`")
            }
            if let family, family.isIPv6 != address.isIPv6 {
                value.report("\(address) is not of the same IP version as \(family.of)")
            }
            family = family ?? (address.isIPv6, "the first peer's")
            peers.append(Peer(name: name ?? "", address: address, networks: networks))
        }
        return peers
    }
}
