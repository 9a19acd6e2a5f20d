import Wire

/// Reads the list of ports.
struct PortReader {
    static let keys = [
        "name", "network", "kind", "device", "netns", "macs", "ips", "trunk", "addresses", "mac",
        "owner", "group", "floodUnknown", "limits",
    ]

    let names: Names

    func read(_ items: [Value], _ stations: inout Stations) -> [Port] {
        _ = NameIndex(of: "port", items)
        var devices: [String: String] = [:]
        var ports: [Port] = []
        for item in items {
            guard let fields = item.fields(Self.keys), let port = readPort(fields, &stations)
            else { continue }
            let device = (port.netns ?? "") + " " + port.device
            if !port.device.isEmpty, let other = devices.updateValue(item.path, forKey: device) {
                (fields["device"] ?? item)
                    .report("the device `\(port.device)` already belongs to `\(other)`")
            }
            ports.append(port)
        }
        return ports
    }

    private func readPort(_ fields: Fields, _ stations: inout Stations) -> Port? {
        let name = fields.required("name", "the port's name")?.name()
        let network = fields.required("network", "the name of the port's network")
            .flatMap(names.networks.resolve)
        let kind = fields.required("kind", "one of \(listed(Port.Kind.allCases.map(\.rawValue)))")?
            .choice(Port.Kind.self)
        guard let kind else { return nil }
        var port = Port(
            name: name ?? "", network: network ?? "", kind: kind,
            device: readDevice(fields, kind, name) ?? "")
        port.netns = fields["netns"].flatMap(readNamespace)
        port.floodUnknown = fields["floodUnknown"]?.boolean() ?? true
        port.limits = fields["limits"].map(LimitsReader.read) ?? PortLimits()
        readKindOptions(fields, into: &port)
        readStations(fields, into: &port, &stations)
        return port
    }

    private func readDevice(_ fields: Fields, _ kind: Port.Kind, _ name: String?) -> String? {
        if let device = fields["device"] { return device.deviceName() }
        if kind == .interface {
            _ = fields.required("device", "the name of the interface to attach")
            return nil
        }
        guard let name else { return nil }
        let device = "weft-" + name
        guard isDeviceName(device) else {
            fields.map.report(
                "the device would be named `\(device)` (\(device.utf8.count) bytes), and the "
                    + "kernel takes 15: give it a shorter name with `device`")
            return nil
        }
        return device
    }

    private func readNamespace(_ value: Value) -> String? {
        let expected = "the name of a network namespace or an absolute path"
        guard let text = value.text(expected) else { return nil }
        let isName = !text.contains("/") && text != "." && text != ".." && text.utf8.count <= 255
        guard isName || text.hasPrefix("/"), !text.utf8.contains(0) else {
            value.report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        return text
    }

    /// What only some kinds of ports have.
    private func readKindOptions(_ fields: Fields, into port: inout Port) {
        func allowed(_ key: String, _ kinds: Port.Kind...) -> Value? {
            guard let value = fields[key] else { return nil }
            guard kinds.contains(port.kind) else {
                let kinds = kinds.map(\.rawValue)
                value.report(
                    "only ports of kind \(kinds.joined(separator: " or ")) have this, and this "
                        + "one is of kind \(port.kind.rawValue): remove it")
                return nil
            }
            return value
        }
        port.addresses =
            allowed("addresses", .host)?
            .distinct(of: "addresses like `10.0.0.1/24`") { $0.interfaceAddress() } ?? []
        port.mac = allowed("mac", .tap, .host)?.stationMAC()
        port.owner = allowed("owner", .tap)?.account()
        port.group = allowed("group", .tap)?.account()
    }

    /// Who is behind the port, and with that the anti-spoofing.
    private func readStations(
        _ fields: Fields, into port: inout Port, _ stations: inout Stations
    ) {
        let owner = fields.map.path
        port.macs =
            fields["macs"]?.distinct(of: "MAC addresses") { value in
                let mac = value.stationMAC()
                if let mac { stations.claim(mac, in: port.network, by: owner, value) }
                return mac
            } ?? []
        if let mac = port.mac, let value = fields["mac"] {
            stations.claim(mac, in: port.network, by: owner, value)
        }
        port.ips = fields["ips"]?.distinct(of: "addresses") { $0.unicastAddress() } ?? []
        port.trunk = fields["trunk"]?.boolean() ?? false
        if let ips = fields["ips"], !port.ips.isEmpty, fields["macs"]?.isEmptyList ?? true {
            ips.report("`ips` without `macs`: give the MAC addresses that have them")
        }
        if port.trunk, let macs = fields["macs"] {
            macs.report(
                "a trunk has unknown stations behind it: remove `macs` and `ips`, or `trunk`")
        }
    }
}
