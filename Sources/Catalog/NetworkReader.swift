import Wire

/// Reads the list of networks.
struct NetworkReader {
    static let keys = [
        "name", "vni", "mtu", "gateway", "learning", "ageing", "vlan", "arpSuppression",
        "endpoints",
    ]

    let names: Names
    let set: OverlayItems

    func read(_ items: [Value], _ stations: inout Stations) -> [Network] {
        var vnis: [Int: String] = [:]
        var networks: [Network] = []
        for item in items {
            guard let fields = item.fields(Self.keys) else { continue }
            let name = fields.required("name", "the network's name")?.name()
            let vniValue = fields.required("vni", "a VXLAN network identifier, 1...16777215")
            let vni = vniValue?.integer(in: 1...0xff_ffff)
            if let vni, let other = vnis.updateValue(name ?? item.path, forKey: vni) {
                vniValue?.report("\(vni) is already the VNI of \(quoted(other))")
            }
            var network = Network(name: name ?? "", vni: UInt32(vni ?? 0))
            readOptions(fields, into: &network)
            let endpoints = fields["endpoints"]?.list(of: "endpoints") ?? []
            for endpoint in set.endpoints(of: network.name, endpoints) {
                if let endpoint = readEndpoint(endpoint, network.name, &stations) {
                    network.endpoints.append(endpoint)
                }
            }
            networks.append(network)
        }
        return networks
    }

    private func readOptions(_ fields: Fields, into network: inout Network) {
        for value in fields["gateway"]?.listOrSingle(of: "addresses") ?? [] {
            guard let address = value.unicastAddress() else { continue }
            network.gateway.append(address)
        }
        if let mtu = fields["mtu"], !mtu.isWord("auto") { network.mtu = readMTU(mtu, network) }
        network.learning = fields["learning"]?.boolean() ?? network.learning
        network.ageing = fields["ageing"]?.integer(in: 10...86400, "seconds") ?? network.ageing
        network.vlan = fields["vlan"]?.choice(Network.VLAN.self) ?? network.vlan
        network.arpSuppression = fields["arpSuppression"]?.boolean() ?? network.arpSuppression
    }

    private func readMTU(_ value: Value, _ network: Network) -> Int? {
        guard let text = value.plainText, decimal(text) != nil else {
            value.report("found \(value.shown), expected `auto` or a number in 576...9216 bytes")
            return nil
        }
        guard let mtu = value.integer(in: 576...9216, "bytes") else { return nil }
        if mtu < 1280, network.gateway.contains(where: \.isIPv6) {
            value.report(
                "\(mtu) is too small for the IPv6 gateway, expected at least 1280 bytes "
                    + "(RFC 8200 section 5)")
        }
        return mtu
    }

    private func readEndpoint(
        _ item: Value, _ network: String, _ stations: inout Stations
    ) -> StaticEndpoint? {
        guard let fields = item.fields(["mac", "ips", "peer"]) else { return nil }
        let value = fields.required("mac", "the endpoint's MAC address")
        let mac = value?.stationMAC()
        let ips = fields["ips"]?.distinct(of: "addresses") { $0.unicastAddress() }
        let peer = fields.required("peer", "the name of the peer that it is behind")
            .flatMap(names.peers.resolve)
        guard let value, let mac else { return nil }
        stations.claim(mac, in: network, by: item.path, value)
        return StaticEndpoint(mac: mac, ips: ips ?? [], peer: peer ?? "")
    }
}
