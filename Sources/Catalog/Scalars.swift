import Wire

// What a scalar may stand for. Each returns nil after having reported why.

extension Value {
    /// true or false, in the spellings of YAML 1.1.
    func boolean() -> Bool? {
        switch plainText?.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            report("found \(shown), expected `true` or `false` (without quotes)")
            return nil
        }
    }

    /// A decimal number in a range; `unit` names what is counted.
    func integer(in range: ClosedRange<Int>, _ unit: String = "") -> Int? {
        let unit = unit.isEmpty ? "" : " " + unit
        let bounds = "\(range.lowerBound)...\(range.upperBound)\(unit)"
        guard let text = text("a number in \(bounds)") else { return nil }
        guard let number = decimal(text) else {
            report("found \(quoted(text)), expected a whole number in \(bounds)")
            return nil
        }
        guard range.contains(number) else {
            report("\(number) is out of range, expected \(bounds)")
            return nil
        }
        return number
    }

    /// One of the names of an enumeration.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_: Choice.Type) -> Choice? {
        let names = Choice.allCases.map(\.rawValue)
        guard let text = text("one of \(listed(names))") else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let hint = suggestion(for: text, among: names)
        report("found \(quoted(text))\(hint), expected one of \(listed(names))")
        return nil
    }

    /// A name of ours: 1...63 letters, digits, `-`, `_` or `.`.
    func name() -> String? {
        let expected = "a name of 1...63 letters, digits, `-`, `_` or `.`"
        guard let text = text(expected) else { return nil }
        guard isName(text) else {
            report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        return text
    }

    /// The name of a network device as the kernel takes it: 1...15 bytes (IFNAMSIZ - 1).
    func deviceName() -> String? {
        let expected = "an interface name of 1...15 bytes without blanks, `/` or `:`"
        guard let text = text(expected) else { return nil }
        guard isDeviceName(text) else {
            report("found \(quoted(text)) (\(text.utf8.count) bytes), expected \(expected)")
            return nil
        }
        return text
    }

    /// A unicast MAC.
    func stationMAC() -> MACAddress? {
        let expected = "a MAC address like `02:00:0a:00:00:01`"
        guard let text = text(expected) else { return nil }
        guard let mac = MACAddress(text) else {
            report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        guard !mac.isMulticast, mac != .zero else {
            report("\(mac) is no station's address, expected a unicast MAC address")
            return nil
        }
        return mac
    }

    /// A unicast IP address.
    func unicastAddress() -> IPAddress? {
        let expected = "an IPv4 or IPv6 address"
        guard let text = text(expected) else { return nil }
        guard let address = IPAddress(text) else {
            report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        guard address.isUnicast else {
            report("\(address) is no station's address, expected a unicast address")
            return nil
        }
        return address
    }

    /// An address with its prefix length, as in `10.0.0.1/24`.
    func interfaceAddress() -> InterfaceAddress? {
        let expected = "an address with its prefix length, like `10.0.0.1/24`"
        guard let text = text(expected) else { return nil }
        guard let address = InterfaceAddress(text), address.address.isUnicast else {
            report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        return address
    }

    /// A user's or group's name or number.
    func account() -> String? {
        let expected = "a name of 1...32 letters, digits, `-`, `_`, `.` or a numeric id"
        guard let text = text(expected) else { return nil }
        let name = text.hasSuffix("$") ? String(text.dropLast()) : text
        guard isName(name), text.utf8.count <= 32 else {
            report("found \(quoted(text)), expected \(expected)")
            return nil
        }
        return text
    }

    /// Items of a list read one by one; those that repeat an earlier one are reported.
    func distinct<Item: Hashable>(of what: String, _ read: (Value) -> Item?) -> [Item] {
        var seen: Set<Item> = []
        var items: [Item] = []
        for value in list(of: what) {
            guard let item = read(value) else { continue }
            guard seen.insert(item).inserted else {
                value.report("\(value.shown) is already in this list: remove one")
                continue
            }
            items.append(item)
        }
        return items
    }
}

/// A number of decimal digits and nothing else; nil also where it does not fit.
func decimal(_ text: String) -> Int? {
    let digits = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    return Int(text)
}

private func isName(_ text: String) -> Bool {
    (1...63).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
            default: false
            }
        }
}

/// dev_valid_name() of the kernel, but for bytes outside ASCII, which help nobody.
func isDeviceName(_ text: String) -> Bool {
    (1...15).contains(text.utf8.count) && text != "." && text != ".."
        && text.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "/") && byte != UInt8(ascii: ":")
        }
}

extension IPAddress {
    /// Neither unspecified nor multicast nor reserved (RFC 1112 sections 4, RFC 4291 section 2).
    var isUnicast: Bool {
        switch self {
        case .v4(let address): address.bits != 0 && address.bits < 0xe000_0000
        case .v6(let address): address != .any && !address.isMulticast
        }
    }
}
