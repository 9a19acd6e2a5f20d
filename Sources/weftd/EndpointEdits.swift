// Endpoints and neighbours one by one: fixed ones are set and taken away, learned ones forgotten.

import Catalog
import ControlAPI
import FlyingFox
import Wire

extension DesiredState {
    /// Fixes an endpoint of a network behind a peer, whatever was learned of it. `body` has the
    /// keys `peer` and `ips`.
    func putEndpoint(
        _ network: String, _ mac: String, _ body: JSONTree, _ condition: Condition
    ) throws {
        let (network, mac) = try checked(network, mac: mac)
        try condition.check(tag(network, mac), "endpoint \(mac)")
        guard case .object(var fields) = body else {
            throw Refusal(.unprocessableContent, "expected an object with `peer` and `ips`")
        }
        if let given = fields["mac"]?.text, MACAddress(given) != mac {
            throw Refusal(field: "mac", "it is not that of the path, \(mac): leave it out")
        }
        fields["mac"] = .string("\(mac)")
        var new = overlay
        new[network: network.name, mac: "\(mac)"] = .object(fields)
        try refusing("networks/\(network.name)/endpoints/\(mac)") {
            // Kept as we would write it, so that equal endpoints are equal.
            let read = try Configuration.parse(file, with: new, from: "API")
            new[network: network.name, mac: "\(mac)"] =
                read.network(named: network.name)?.endpoints.first { $0.mac == mac }?.json
            try change(to: new)
        }
    }

    /// Takes away a fixed endpoint that was set through the API.
    /// - Returns: false if none is fixed: whatever there is was learned.
    func removeEndpoint(_ network: String, _ mac: String, _ condition: Condition) throws -> Bool {
        let (network, mac) = try checked(network, mac: mac)
        try condition.check(tag(network, mac), "endpoint \(mac)")
        guard network.endpoints.contains(where: { $0.mac == mac }) else {
            try checkNoPortHas(network, "endpoint \(mac)") {
                $0.macs.contains(mac) || $0.mac == mac
            }
            return false
        }
        var new = overlay
        if new[network: network.name, mac: "\(mac)"] != nil {
            new[network: network.name, mac: "\(mac)"] = nil
        } else if case .object(var fields)? = new[.networks, network.name] {
            fields["endpoints"] = .array(
                network.endpoints.filter { $0.mac != mac }.map(\.json))
            new[.networks, network.name] = .object(fields)
        } else {
            throw Refusal(
                .conflict,
                "endpoint \(mac) of network \(network.name) is in \(file.name): take it out there "
                    + "and reload; nothing was changed")
        }
        try refusing("", as: .conflict) { try change(to: new) }
        return true
    }

    /// Gives the fixed endpoint of a MAC the address `ip`, and takes it from another that has it.
    func putNeighbour(_ network: String, _ ip: String, _ body: JSONTree) throws {
        let (found, address) = try checked(network, ip: ip)
        guard let text = body["mac"]?.text, let mac = MACAddress(text) else {
            throw Refusal(field: "mac", "expected the MAC address that has \(address)")
        }
        try checkNoPortHas(found, "\(address)") { $0.ips.contains(address) }
        try checkNoPortHas(found, "\(mac)") { $0.macs.contains(mac) || $0.mac == mac }
        guard found.endpoints.contains(where: { $0.mac == mac }) else {
            throw Refusal(
                .conflict,
                "no endpoint \(mac) is fixed in network \(found.name): set the endpoint first")
        }
        var new = overlay
        for var endpoint in found.endpoints {
            let has = endpoint.ips.contains(address)
            guard has != (endpoint.mac == mac) else { continue }
            if has {
                endpoint.ips.removeAll { $0 == address }
            } else {
                endpoint.ips.append(address)
            }
            new[network: found.name, mac: "\(endpoint.mac)"] = endpoint.json
        }
        try refusing("") { try change(to: new) }
    }

    /// Takes an address from the fixed endpoints that have it.
    /// - Returns: false if none has it: whatever there is was learned.
    func removeNeighbour(_ network: String, _ ip: String) throws -> Bool {
        let (found, address) = try checked(network, ip: ip)
        try checkNoPortHas(found, "\(address)") { $0.ips.contains(address) }
        let holders = found.endpoints.filter { $0.ips.contains(address) }
        guard !holders.isEmpty else { return false }
        var new = overlay
        for var endpoint in holders {
            endpoint.ips.removeAll { $0 == address }
            new[network: found.name, mac: "\(endpoint.mac)"] = endpoint.json
        }
        try refusing("") { try change(to: new) }
        return true
    }

    /// The entity tag of a fixed endpoint; nil if none is fixed.
    func tag(_ network: Network, _ mac: MACAddress) -> String? {
        network.endpoints.first { $0.mac == mac }.map { contentTag(of: $0.json) }
    }

    /// Throws a `Refusal` if a port of the network fixes what is asked for.
    private func checkNoPortHas(
        _ network: Network, _ what: String, _ condition: (Port) -> Bool
    ) throws {
        guard
            let port = configuration.ports.first(where: {
                $0.network == network.name && condition($0)
            })
        else { return }
        throw Refusal(
            .conflict,
            "\(what) is given by port \(port.name): change its `macs` and `ips`; nothing was "
                + "changed")
    }

    /// The network of that name, and the MAC that `mac` is. Throws a `Refusal`.
    func checked(_ network: String, mac: String) throws -> (Network, MACAddress) {
        guard let address = MACAddress(mac) else {
            throw Refusal(field: "mac", "found `\(mac)`, expected a MAC address")
        }
        return (try self.network(network), address)
    }

    /// The network of that name, and the address that `ip` is. Throws a `Refusal`.
    func checked(_ network: String, ip: String) throws -> (Network, IPAddress) {
        guard let address = IPAddress(ip) else {
            throw Refusal(field: "ip", "found `\(ip)`, expected an IPv4 or IPv6 address")
        }
        return (try self.network(network), address)
    }

    /// The network of that name. Throws a `Refusal`.
    func network(_ name: String) throws -> Network {
        guard let network = configuration.network(named: name) else {
            throw Refusal(.notFound, "there is no network \(name)")
        }
        return network
    }
}
