// Forgetting what was learned, entry by entry, when somebody asks for it.

import Forwarding
public import Wire

extension Datapath {
    /// Forgets what was learned of a station: where it is, and its addresses. What is fixed stays.
    /// - Returns: whether something was known.
    public func forget(network: String, mac: MACAddress) -> Bool {
        forgetting(network) { tables, row in
            tables.forget(EndpointKey(network: row, mac: mac))
        }
    }

    /// Forgets what was learned of an address.
    /// - Returns: whether something was known.
    public func forget(network: String, ip: IPAddress) -> Bool {
        forgetting(network) { tables, row in
            tables.forget(NeighborKey(network: row, address: ip))
        }
    }

    private func forgetting(
        _ network: String, _ body: @escaping @Sendable (TableKeeper, UInt16) -> Bool
    ) -> Bool {
        let keeper = keeper
        return keeper.perform {
            guard let row = keeper.rows.networks.row(of: network) else { return false }
            return body(keeper.tables, UInt16(row))
        }
    }
}
