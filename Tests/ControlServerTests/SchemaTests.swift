import Catalog
import ControlAPI
import Foundation
import Testing
import Yams
import weftd

/// docs/openapi.yaml beside what the code has. Whether it is true is asked of a running daemon, in
/// the scenarios.
@Suite("The API's schema")
struct SchemaTests {
    private let root: Node

    init() throws {
        var folder = URL(filePath: #filePath)
        for _ in 0..<3 { folder = folder.deletingLastPathComponent() }
        let text = try String(
            contentsOf: folder.appending(path: "docs/openapi.yaml"), encoding: .utf8)
        root = try #require(try Yams.compose(yaml: text))
    }

    private func keys(_ path: String...) -> Set<String> {
        var node: Node? = root
        for key in path { node = node?[key] }
        return Set(node?.mapping?.keys.compactMap(\.string) ?? [])
    }

    @Test("has every path and method of the server, and no other")
    func routes() async throws {
        try await withDirectory { directory in
            let file = directory + "/weft.yaml"
            try Data("host: a\nunderlay: {address: 10.1.0.1}\n".utf8).write(to: URL(filePath: file))
            let start = try StartingState(
                file: file, statePath: directory + "/state.json", logger: quiet)
            let events = EventHub()
            let state = DesiredState(
                start, follower: FakeFollower(), events: events, logger: quiet)
            let routes =
                controlRoutes(state, FixedProvider(), events) + captureRoutes(FixedCaptures())
            #expect(keys("paths") == Set(routes.map(\.path)))
            for route in routes {
                let methods = keys("paths", route.path).subtracting(["parameters"])
                #expect(methods == Set(route.methodNames.map { $0.lowercased() }), "\(route.path)")
            }
        }
    }

    @Test("has every key of the objects, and no other")
    func fields() {
        for (section, name) in [
            (Overlay.Section.networks, "Network"), (.ports, "Port"), (.peers, "Peer"),
        ] {
            let described = keys("components", "schemas", name, "properties")
            #expect(described == Set(Configuration.objectKeys[section] ?? []), "\(name)")
        }
    }

    @Test("has every kind of event")
    func events() {
        let kinds = root["components"]?["schemas"]?["Event"]?["properties"]?["event"]?["enum"]
        let described = kinds?.sequence?.compactMap(\.string) ?? []
        #expect(described == Event.Kind.allCases.map(\.rawValue))
    }
}
