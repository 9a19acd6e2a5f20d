package import ControlAPI
import FlyingFox

/// `GET /v1/events`: a line of JSON for each thing that happens, and an empty line now and then, by
/// which a client that has gone away is noticed.
package func eventRoutes(_ hub: EventHub) -> [Route] {
    [
        Route(
            "/v1/events",
            (
                .GET,
                { _, _ in
                    let lines = hub.listen().map { event in
                        try event.map { try JSON.encode($0) } ?? [UInt8(ascii: "\n")]
                    }
                    return .stream("application/x-ndjson", lines)
                }
            ))
    ]
}
