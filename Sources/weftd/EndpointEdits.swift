// Endpoints and neighbours one by one: fixed ones are set and taken away, learned ones forgotten.

import Catalog
import ControlAPI
import FlyingFox
import Wire

extension DesiredState {
    /// Fixes an endpoint of a network behind a peer, whatever was learned of it. `body` has the
    /// keys `peer` and `ips`.
    func putEndpoint(_ network: String, _ mac: String, _ body: JSONTree) throws {
        let (network, mac) = try checked(network, mac: mac)
        guard case .object(var fields) = body else {
            throw Refusal(.unprocessableContent, "expected an object with `peer` and `ips`")
        }
        if let given = fields["mac"]?.text, MACAddress(given) != mac {
            throw Refusal(field: "mac", "it is not that of the path, \(mac): leave it out")
        }
        fields["mac"] = .string("\(mac)")
        var new = overlay
        new[network: network.name, mac: "\(mac)"] = .object(fields)
        try refusing("networks/\(network.name)/endpoints/\(mac)") { try change(to: new) }
    }

    /// Takes away a fixed endpoint that was set through the API.
    /// - Returns: false if none is fixed: whatever there is was learned.
    func removeEndpoint(_ network: String, _ mac: String) throws -> Bool {
        let (network, mac) = try checked(network, mac: mac)
        guard network.endpoints.contains(where: { $0.mac == mac }) else { return false }
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
        try refusing("") { try change(to: new) }
        return true
    }

    /// Gives the fixed endpoint of `mac` the address `ip`.
    func putNeighbour(_ network: String, _ ip: String, _ body: JSONTree) throws {
        let (found, address) = try checked(network, ip: ip)
        guard let text = body["mac"]?.text, let mac = MACAddress(text) else {
            throw Refusal(field: "mac", "expected the MAC address that has \(address)")
        }
        guard var endpoint = found.endpoints.first(where: { $0.mac == mac }) else {
            let port = configuration.ports.first {
                $0.network == found.name && ($0.macs.contains(mac) || $0.mac == mac)
            }
            throw Refusal(
                .conflict,
                port.map {
                    "\(mac) is behind port \($0.name): put \(address) into the port's `ips`"
                } ?? "no endpoint \(mac) is fixed in network \(found.name): set the endpoint first")
        }
        if !endpoint.ips.contains(address) { endpoint.ips.append(address) }
        try putEndpoint(network, "\(mac)", endpoint.json)
    }

    /// Takes an address from the fixed endpoint that has it.
    /// - Returns: false if none has it: whatever there is was learned.
    func removeNeighbour(_ network: String, _ ip: String) throws -> Bool {
        let (found, address) = try checked(network, ip: ip)
        guard var endpoint = found.endpoints.first(where: { $0.ips.contains(address) })
        else { return false }
        endpoint.ips.removeAll { $0 == address }
        try putEndpoint(network, "\(endpoint.mac)", endpoint.json)
        return true
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
