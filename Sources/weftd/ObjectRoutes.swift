import Catalog
import ControlAPI
import FlyingFox
import Foundation

/// Networks, ports and peers: looked at, added, changed and taken away, one by one or all at once.
func objectRoutes(_ state: DesiredState, _ provider: any StatusProvider) -> [Route] {
    func routes<Item: Codable & Sendable & Equatable>(
        _ section: Overlay.Section, _ items: @escaping @Sendable () -> [String: Item]
    ) -> [Route] {
        let objects = ObjectRoutes(section: section, state: state, items: items)
        return [
            Route("/v1/\(section)", (.GET, { _, _ in try await objects.list() })),
            Route(
                "/v1/\(section)/{name}", (.GET, { try await objects.get($0, $1[0]) }),
                (.PUT, { try await objects.put($0, $1[0]) }),
                (.DELETE, { try await objects.remove($0, $1[0]) })),
        ]
    }
    return routes(.networks) { byName(provider.status().networks, \.name) }
        + routes(.ports) { byName(provider.status().ports, \.name) }
        + routes(.peers) { byName(provider.status().peers, \.name) } + [
            Route(
                "/v1/apply", queries: ["dryRun"],
                (.POST, { request, _ in try await apply(request, state) }))
        ]
}

private func byName<Item>(_ items: [Item], _ name: (Item) -> String) -> [String: Item] {
    Dictionary(items.map { (name($0), $0) }, uniquingKeysWith: { $1 })
}

private func apply(_ request: HTTPRequest, _ state: DesiredState) async throws -> HTTPResponse {
    let isDry = try request.flag("dryRun")
    guard let text = String(validating: try await request.boundedBody, as: UTF8.self) else {
        throw Refusal(.badRequest, "the body is not UTF-8 text; nothing was changed")
    }
    let reply = try await state.apply(text, dryRun: isDry, try Condition(request))
    return try .json(reply).tagged(reply.revision)
}

/// The objects of one section.
private struct ObjectRoutes<Item: Codable & Sendable & Equatable>: Sendable {
    let section: Overlay.Section
    let state: DesiredState
    let items: @Sendable () -> [String: Item]

    func list() async throws -> HTTPResponse {
        let items = items()
        let (revision, objects) = await state.list(section)
        let list = ObjectList(
            revision: revision,
            items: objects.map {
                ObjectReply(spec: $0.spec, origin: $0.origin, status: items[$0.name])
            })
        return try .json(list).tagged(revision)
    }

    func get(_ request: HTTPRequest, _ name: String) async throws -> HTTPResponse {
        guard let object = await state.object(section, name) else {
            throw Refusal(.notFound, "there is no \(section.singular) \(name)")
        }
        return try reply(name, object)
    }

    private func reply(_ name: String, _ object: DesiredObject) throws -> HTTPResponse {
        let reply = ObjectReply(spec: object.spec, origin: object.origin, status: items()[name])
        return try .json(reply).tagged(contentTag(of: object.spec))
    }

    func put(_ request: HTTPRequest, _ name: String) async throws -> HTTPResponse {
        let (object, isNew) = try await state.put(
            section, name, try await request.json, try Condition(request))
        var response = try reply(name, object)
        if isNew { response.statusCode = .created }
        return response
    }

    func remove(_ request: HTTPRequest, _ name: String) async throws -> HTTPResponse {
        try await state.remove(section, name, try Condition(request))
        return HTTPResponse(statusCode: .noContent)
    }
}

extension DesiredState {
    /// All objects of a section, by name, and the revision that they are of.
    fileprivate func list(
        _ section: Overlay.Section
    ) -> (String, [(name: String, spec: JSONTree, origin: ObjectOrigin)]) {
        let objects = configuration.objects(section).sorted { $0.name < $1.name }
        return (
            revision, objects.map { ($0.name, $0.json, origin(section, $0.name) ?? .file) }
        )
    }
}

extension HTTPRequest {
    /// The body, which is JSON. Throws a `Refusal` if it is not.
    var json: JSONTree {
        get async throws {
            let body = try await boundedBody
            do {
                return try Configuration.parseJSON(body)
            } catch {
                throw Refusal(.badRequest, "the body is not JSON: \(error); nothing was changed")
            }
        }
    }
}

extension HTTPResponse {
    /// The response with this entity tag.
    func tagged(_ tag: String) -> HTTPResponse {
        var response = self
        response.headers[HTTPHeader("ETag")] = "\"\(tag)\""
        return response
    }
}
