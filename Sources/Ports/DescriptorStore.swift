import Glibc
import Synchronization

/// Descriptors that outlive the process: whoever started it keeps them, and hands them to the next
/// process when this one has ended, however it ended. systemd is one (FileDescriptorStoreMax= in
/// systemd.service(5)).
///
/// While nobody reads them, the kernel goes on queueing frames behind them: what a restart loses
/// is what exceeds those queues.
///
/// A name stands for all descriptors of one thing, for example all queues of a TAP, in no order.
/// They are taken over together or not at all.
public final class DescriptorStore: Sendable {
    /// What the keeper of the descriptors is asked.
    public enum Request: Sendable {
        /// Keep these, too, under a name.
        case keep(String, [Int32])
        /// Let go of all of a name, and return when that is done.
        case release(String)
    }

    private let inherited: Mutex<[String: [Int32]]>
    private let ask: @Sendable (Request) -> Void

    /// A store with what an earlier process has left in it, by name; this object owns those
    /// descriptors until they are taken.
    public init(
        inherited: [String: [Int32]] = [:], ask: @escaping @Sendable (Request) -> Void
    ) {
        self.inherited = Mutex(inherited)
        self.ask = ask
    }

    deinit {
        for descriptor in inherited.withLock({ $0.values.joined() }) { close(descriptor) }
    }

    /// Has descriptors kept under a name. They may be closed here then.
    ///
    /// A name that is too long, or is not of printable ASCII without a colon (sd_notify(3),
    /// FDNAME), is not kept: what it stands for is opened anew by the next process.
    public func keep(_ name: String, _ descriptors: [Int32]) {
        guard Self.isValid(name) else { return }
        ask(.keep(name, descriptors))
    }

    /// Lets go of a name for good. What it stood for ends when it is closed here, too.
    public func release(_ name: String) {
        guard Self.isValid(name) else { return }
        ask(.release(name))
    }

    /// Takes over what an earlier process left under a name, if `adopt` can use it. If not, all of
    /// it is closed and let go.
    /// - Returns: nil if there is nothing of that name, or nothing of use.
    public func take<Adopted>(
        _ name: String, _ adopt: (consuming OwnedDescriptors) -> Adopted?
    ) -> Adopted? {
        guard let numbers = inherited.withLock({ $0.removeValue(forKey: name) }) else { return nil }
        if let adopted = adopt(OwnedDescriptors(owning: numbers)) { return adopted }
        release(name)
        return nil
    }

    /// Lets go of all that nobody has taken.
    /// - Returns: the names, sorted.
    public func releaseRest() -> [String] {
        let rest = inherited.withLock { inherited in
            defer { inherited = [:] }
            return inherited
        }
        for (name, numbers) in rest {
            for number in numbers { close(number) }
            release(name)
        }
        return rest.keys.sorted()
    }

    private static func isValid(_ name: String) -> Bool {
        let isShort = (1...255).contains(name.utf8.count)
        return isShort
            && name.utf8.allSatisfy { (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: ":") }
    }
}
