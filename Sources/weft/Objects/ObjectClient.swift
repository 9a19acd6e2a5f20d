import ControlAPI

/// The networks, ports or peers of a daemon, as a command line uses them.
struct ObjectClient<Status: Codable & Sendable & Equatable> {
    let client: ControlClient
    /// `network`, `port` or `peer`.
    let kind: String

    private func path(_ name: String) -> String { "/v1/\(kind)s/\(escaped(name))" }

    func list() throws -> ObjectList<Status> {
        try client.ask(ObjectList<Status>.self, "GET", "/v1/\(kind)s").value
    }

    func get(_ name: String) throws -> (reply: ObjectReply<Status>, tag: String?) {
        let (value, reply) = try client.ask(ObjectReply<Status>.self, "GET", path(name))
        return (value, reply.headers["etag"])
    }

    /// Adds an object, which must not be there yet; with `mayExist` it becomes what is said.
    func add(_ name: String, _ fields: [String: JSONTree], mayExist: Bool) throws {
        try put(name, fields, mayExist ? [:] : ["If-None-Match": "*"])
    }

    /// Changes fields of an object that is there; nil takes a field away. Tries again where
    /// somebody else changes it meanwhile.
    func change(_ name: String, _ changes: [String: JSONTree?]) throws {
        for attempt in 1... {
            let (reply, tag) = try get(name)
            guard case .object(var fields) = reply.spec else { return }
            for (key, value) in changes { fields[key] = value }
            do {
                return try put(name, fields, tag.map { ["If-Match": $0] } ?? [:])
            } catch ControlError.refused(412, _) where attempt < 5 {
                continue
            }
        }
    }

    func remove(_ name: String) throws {
        _ = try client.request("DELETE", path(name))
    }

    private func put(
        _ name: String, _ fields: [String: JSONTree], _ headers: [String: String]
    ) throws {
        let body = try JSON.encode(JSONTree.object(fields))
        _ = try client.request("PUT", path(name), body: body, headers: headers)
    }
}

/// A name as a part of a path (RFC 3986 section 3.3).
func escaped(_ name: String) -> String {
    name.utf8.map { byte in
        let isPlain =
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: "-._~:@".utf8.contains(byte)
            }
        if isPlain { return String(UnicodeScalar(byte)) }
        let digits = String(byte, radix: 16, uppercase: true)
        return "%" + (digits.count == 1 ? "0" : "") + digits
    }.joined()
}
