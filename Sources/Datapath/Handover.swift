// Handover: what one daemon leaves for the next.

import Catalog
public import Ports

/// What a daemon finds of the one before it, and leaves for the one after.
public struct Handover: Sendable {
    /// Who keeps descriptors meanwhile; nil if nobody does.
    public var store: DescriptorStore?
    /// Where what was learned is saved; nil if it is not.
    public var learnedPath: String?

    /// Nothing, unless it is given.
    public init(store: DescriptorStore? = nil, learnedPath: String? = nil) {
        self.store = store
        self.learnedPath = learnedPath
    }

    /// What the underlay's sockets are called in the store.
    static let underlay = "underlay"
}

extension Port {
    /// What the descriptors of a port's device are called in the store.
    var storeName: String {
        let kind = self.kind == .interface ? "packet" : "tap"
        let namespace = netns.map { "@\(NetworkNamespace($0))" } ?? ""
        return "\(kind)/\(device)\(namespace)"
    }
}
