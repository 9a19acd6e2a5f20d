/// Who knows what the control API tells. Asked from any thread, at any time, and answers without
/// waiting for a worker.
public protocol StatusProvider: Sendable {
    /// What the host does and has counted.
    func status() -> Status
    /// The endpoint table.
    func endpoints() -> [EndpointEntry]
    /// The neighbour table.
    func neighbours() -> [NeighbourEntry]
}
