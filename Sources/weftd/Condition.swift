import FlyingFox

/// What a request says about the state that it means to change (RFC 9110 section 13.1).
struct Condition: Sendable {
    /// The entity tags of a header; nil for `*`, which is any.
    private typealias Tags = Set<String>?

    private let ifMatch: Tags?
    private let ifNoneMatch: Tags?

    /// Throws a `Refusal` if a header makes no sense: an update that was meant to be guarded must
    /// not go through unguarded.
    init(_ request: HTTPRequest) throws {
        ifMatch = try Self.tags(request, "If-Match")
        ifNoneMatch = try Self.tags(request, "If-None-Match")
    }

    /// Throws a `Refusal` if there is a condition, where none can be checked.
    static func refuse(_ request: HTTPRequest) throws {
        for header in ["If-Match", "If-None-Match"]
        where request.headers[HTTPHeader(header)] != nil {
            throw Refusal(
                .badRequest, "\(header): neighbours have no ETag; nothing was changed")
        }
    }

    /// Throws a `Refusal` unless it holds of what has `tag` now; nil stands for nothing there.
    func check(_ tag: String?, _ what: String) throws {
        if let ifMatch, !Self.match(ifMatch, tag) {
            let reason =
                tag.map { "was changed by somebody else: get it again (its ETag is \"\($0)\")" }
                ?? "is not there (any more)"
            throw Refusal(.preconditionFailed, "\(what) \(reason); nothing was changed")
        }
        if let ifNoneMatch, Self.match(ifNoneMatch, tag) {
            throw Refusal(.preconditionFailed, "\(what) is there already; nothing was changed")
        }
    }

    private static func match(_ tags: Tags, _ tag: String?) -> Bool {
        guard let tag else { return false }
        return tags?.contains(tag) ?? true
    }

    private static func tags(_ request: HTTPRequest, _ header: String) throws -> Tags? {
        guard let text = request.headers[HTTPHeader(header)] else { return nil }
        if text == "*" { return .some(nil) }
        var tags: Set<String> = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let item = item.drop { $0 == " " }
            let tag = item.hasPrefix("W/") ? item.dropFirst(2) : item
            guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else {
                throw Refusal(
                    .badRequest,
                    "\(header): found `\(text)`, expected `*` or ETags in their quotes; nothing "
                        + "was changed")
            }
            tags.insert(String(tag.dropFirst().dropLast()))
        }
        return tags
    }
}
