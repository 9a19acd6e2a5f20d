package import ControlAPI
import FlyingFox
package import Wire

/// Who knows the learned tables, and can forget an entry of them.
package protocol TableProvider: StatusProvider {
    /// Forgets what was learned of a station: where it is, and its addresses. What is fixed stays.
    /// - Returns: whether something was known.
    func forget(network: String, mac: MACAddress) -> Bool
    /// Forgets what was learned of an address.
    /// - Returns: whether something was known.
    func forget(network: String, ip: IPAddress) -> Bool
}

/// Endpoints and neighbours of one network.
func tableRoutes(_ state: DesiredState, _ provider: any TableProvider) -> [Route] {
    let tables = TableRoutes(state: state, provider: provider)
    let endpoints = "/v1/networks/{network}/endpoints"
    let neighbours = "/v1/networks/{network}/neighbours"
    return [
        Route(endpoints, (.GET, { try await tables.endpoints($1[0]) })),
        Route(
            endpoints + "/{mac}", (.GET, { try await tables.endpoint($1[0], $1[1]) }),
            (.PUT, { try await tables.putEndpoint($0, $1[0], $1[1]) }),
            (.DELETE, { try await tables.removeEndpoint($0, $1[0], $1[1]) })),
        Route(neighbours, (.GET, { try await tables.neighbours($1[0]) })),
        Route(
            neighbours + "/{ip}", (.GET, { try await tables.neighbour($1[0], $1[1]) }),
            (.PUT, { try await tables.putNeighbour($0, $1[0], $1[1]) }),
            (.DELETE, { try await tables.removeNeighbour($0, $1[0], $1[1]) })),
    ]
}

private struct TableRoutes: Sendable {
    let state: DesiredState
    let provider: any TableProvider

    func endpoints(_ network: String) async throws -> HTTPResponse {
        _ = try await state.network(network)
        return try .json(
            EndpointList(endpoints: provider.endpoints().filter { $0.network == network }))
    }

    func endpoint(_ network: String, _ mac: String) async throws -> HTTPResponse {
        let (found, mac) = try await state.checked(network, mac: mac)
        let entry = provider.endpoints().first { $0.network == network && $0.mac == "\(mac)" }
        guard let entry else { throw notThere("endpoint \(mac)", network) }
        let response = try HTTPResponse.json(entry)
        return await state.tag(found, mac).map { response.tagged($0) } ?? response
    }

    func putEndpoint(
        _ request: HTTPRequest, _ network: String, _ mac: String
    ) async throws -> HTTPResponse {
        try await state.putEndpoint(
            network, mac, try await request.json, try Condition(request))
        return try await endpoint(network, mac)
    }

    func removeEndpoint(
        _ request: HTTPRequest, _ network: String, _ mac: String
    ) async throws -> HTTPResponse {
        let (_, address) = try await state.checked(network, mac: mac)
        if try await !state.removeEndpoint(network, mac, try Condition(request)) {
            guard provider.forget(network: network, mac: address) else {
                throw notThere("endpoint \(mac)", network)
            }
        }
        return HTTPResponse(statusCode: .noContent)
    }

    func neighbours(_ network: String) async throws -> HTTPResponse {
        _ = try await state.network(network)
        return try .json(
            NeighbourList(neighbours: provider.neighbours().filter { $0.network == network }))
    }

    func neighbour(_ network: String, _ ip: String) async throws -> HTTPResponse {
        let (_, ip) = try await state.checked(network, ip: ip)
        let entry = provider.neighbours().first { $0.network == network && $0.ip == "\(ip)" }
        guard let entry else { throw notThere("neighbour \(ip)", network) }
        return try .json(entry)
    }

    func putNeighbour(
        _ request: HTTPRequest, _ network: String, _ ip: String
    ) async throws -> HTTPResponse {
        try Condition.refuse(request)
        try await state.putNeighbour(network, ip, try await request.json)
        return try await neighbour(network, ip)
    }

    func removeNeighbour(
        _ request: HTTPRequest, _ network: String, _ ip: String
    ) async throws -> HTTPResponse {
        try Condition.refuse(request)
        let (_, address) = try await state.checked(network, ip: ip)
        if try await !state.removeNeighbour(network, ip) {
            guard provider.forget(network: network, ip: address) else {
                throw notThere("neighbour \(ip)", network)
            }
        }
        return HTTPResponse(statusCode: .noContent)
    }

    private func notThere(_ what: String, _ network: String) -> Refusal {
        Refusal(.notFound, "there is no \(what) in network \(network)")
    }
}
