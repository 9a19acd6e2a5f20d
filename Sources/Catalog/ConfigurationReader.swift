import Wire

/// Reads a whole configuration: section by section, and then what holds between them.
///
/// Names are gathered before anything refers to them, so that a reference to a network whose
/// own description is wrong is not reported as a second mistake.
struct ConfigurationReader {
    static let keys = [
        "host", "underlay", "workers", "busyPoll", "offloads", "peers", "networks", "ports",
        "control", "log",
    ]

    private let fields: Fields
    private let set: OverlayItems

    init(_ root: Value, _ set: OverlayItems) {
        fields = root.fields(Self.keys) ?? Fields(map: root, values: [:])
        self.set = set
    }

    /// The configuration. It is worth something only if nothing was reported.
    func read() -> Configuration {
        let host = fields.required("host", "the name of this host")?.name()
        let underlay = readUnderlay(fields)
        let peers = set.items(.peers, fields["peers"])
        let networks = set.items(.networks, fields["networks"])
        let names = Names(
            peers: NameIndex(of: "peer", peers), networks: NameIndex(of: "network", networks))
        set.checkEndpoints(names.networks)
        var stations = Stations()

        let readPeers = PeerReader(host: host, underlay: underlay, names: names).read(peers)
        let readNetworks = NetworkReader(names: names, set: set).read(networks, &stations)
        let ports = set.items(.ports, fields["ports"])
        let readPorts = PortReader(names: names).read(ports, &stations)

        var result = Configuration(
            host: host ?? "", underlay: underlay ?? Underlay(.interface("")))
        result.workers = readWorkers(fields)
        result.busyPoll = fields["busyPoll"].flatMap(readBusyPoll) ?? .adaptive
        result.offloads = readOffloads(fields)
        result.peers = readPeers
        result.networks = readNetworks
        result.ports = readPorts
        result.control = readControl(fields)
        result.log = readLog(fields)
        return result
    }

    private func readUnderlay(_ fields: Fields) -> Underlay? {
        let keys = ["address", "interface", "port", "sourcePorts", "checksum"]
        let expected = "a map with `address` or `interface`"
        guard let map = fields.required("underlay", expected),
            let underlay = map.fields(keys), let source = readSource(underlay)
        else { return nil }
        var result = Underlay(source)
        if let port = underlay["port"]?.integer(in: 1...65535) { result.port = UInt16(port) }
        if let count = underlay["sourcePorts"]?.integer(in: 1...256, "sockets per worker") {
            result.sourcePorts = count
        }
        if let checksum = underlay["checksum"], let value = checksum.boolean() {
            result.checksum = value
            if !value, result.address?.isIPv6 == true {
                checksum.report(
                    "UDP over IPv6 needs its checksum (RFC 8200 section 8.1): remove this key")
            }
        }
        return result
    }

    private func readSource(_ underlay: Fields) -> Underlay.Source? {
        switch (underlay["address"], underlay["interface"]) {
        case (let address?, nil): return address.unicastAddress().map { .address($0) }
        case (nil, let interface?): return interface.deviceName().map { .interface($0) }
        case (nil, nil):
            underlay.map.report("neither `address` nor `interface` given, expected one of them")
        case (_?, let interface?):
            interface.report("both `address` and `interface` given: remove one of them")
        }
        return nil
    }

    private func readWorkers(_ fields: Fields) -> Int? {
        guard let workers = fields["workers"], !workers.isWord("auto") else { return nil }
        guard let text = workers.plainText, decimal(text) != nil else {
            workers.report("found \(workers.shown), expected `auto` or a number in 1...64")
            return nil
        }
        return workers.integer(in: 1...64)
    }

    private func readBusyPoll(_ value: Value) -> Configuration.BusyPoll? {
        let expected = "`adaptive`, `off` or 0...1000 microseconds, like `50us`"
        guard let text = value.text(expected) else { return nil }
        switch text {
        case "adaptive": return .adaptive
        case "off": return .off
        default:
            let number = text.hasSuffix("us") ? String(text.dropLast(2)) : text
            guard let microseconds = decimal(number), (0...1000).contains(microseconds) else {
                let hint = suggestion(for: text, among: ["adaptive", "off"])
                value.report("found \(quoted(text))\(hint), expected \(expected)")
                return nil
            }
            return microseconds == 0 ? .off : .microseconds(microseconds)
        }
    }

    private func readOffloads(_ fields: Fields) -> Configuration.Offloads {
        var result = Configuration.Offloads()
        let switches: [(String, WritableKeyPath<Configuration.Offloads, Bool>)] = [
            ("uso", \.uso), ("udpSegment", \.udpSegment), ("udpGRO", \.udpGRO),
            ("readMultishot", \.readMultishot), ("coalesce", \.coalesce), ("trains", \.trains),
        ]
        guard let offloads = fields["offloads"]?.fields(switches.map(\.0)) else { return result }
        for (key, path) in switches {
            if let value = offloads[key]?.boolean() { result[keyPath: path] = value }
        }
        return result
    }

    private func readControl(_ fields: Fields) -> Configuration.Control {
        var result = Configuration.Control()
        guard let control = fields["control"]?.fields(["socket", "mode", "group", "state"])
        else { return result }
        if let socket = control["socket"], let path = socket.text("an absolute path") {
            // sun_path of unix(7) holds 108 bytes, the last of them zero.
            if path.hasPrefix("/"), path.utf8.count <= 107, !path.utf8.contains(0) {
                result.socket = path
            } else {
                socket.report(
                    "found \(quoted(path)), expected an absolute path of 107 bytes at most")
            }
        }
        if let mode = control["mode"], let text = mode.text("permission bits like `0660`") {
            let digits = text.hasPrefix("0o") ? String(text.dropFirst(2)) : text
            if decimal(digits) != nil, let bits = UInt32(digits, radix: 8), bits <= 0o777 {
                result.mode = bits
            } else {
                mode.report("found \(quoted(text)), expected octal permission bits like `0660`")
            }
        }
        result.group = control["group"]?.account()
        if let state = control["state"], let path = state.text("an absolute path") {
            // The longest of the names beside it must fit as well.
            if path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= 4000,
                !path.utf8.contains(0)
            {
                result.state = path
            } else {
                state.report("found \(quoted(path)), expected the absolute path of a file")
            }
        }
        return result
    }

    private func readLog(_ fields: Fields) -> Configuration.Log {
        var result = Configuration.Log()
        guard let log = fields["log"]?.fields(["level", "format"]) else { return result }
        if let level = log["level"]?.choice(Configuration.LogLevel.self) { result.level = level }
        if let format = log["format"]?.choice(Configuration.LogFormat.self) {
            result.format = format
        }
        return result
    }
}
