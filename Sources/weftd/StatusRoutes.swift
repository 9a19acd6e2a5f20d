package import ControlAPI
import FlyingFox
import Foundation

/// What can be looked at: `GET`, and nothing changes.
package func statusRoutes(_ provider: any StatusProvider) -> [Route] {
    [
        Route("/v1/status", (.GET, { _, _ in try .json(provider.status()) })),
        Route(
            "/v1/endpoints",
            (.GET, { _, _ in try .json(EndpointList(endpoints: provider.endpoints())) })),
        Route(
            "/v1/neighbours",
            (.GET, { _, _ in try .json(NeighbourList(neighbours: provider.neighbours())) })),
        Route(
            "/metrics",
            (
                .GET,
                { _, _ in
                    HTTPResponse(
                        statusCode: .ok, headers: [.contentType: Prometheus.contentType],
                        body: Data(Prometheus.render(provider.status()).utf8))
                }
            )),
    ]
}
