internal import CLinux
import Glibc

/// Something that happened to an interface.
public enum LinkEvent: Sendable, Equatable {
    /// There is a new one, or one has this name now.
    case appeared(LinkState)
    /// It was removed, moved to another namespace, or renamed.
    case gone(LinkState)
    /// Frames can pass now (`LinkState.isRunning`).
    case up(LinkState)
    /// Frames cannot pass any more: set down, or the other side is gone.
    case down(LinkState)
    /// Its MTU is another one.
    case mtuChanged(LinkState)
}

/// Tells what happens to the interfaces of a namespace.
///
/// What it knows it compares with what the kernel reports, so that events are differences: none is
/// told twice, and none is lost when the kernel drops notifications (it then asks for them all).
public final class LinkMonitor {
    private let socket: NetlinkSocket
    private let namespace: NetworkNamespace?
    /// What was reported last, by index.
    private var known: [Int32: LinkState] = [:]

    /// Readable when there may be events: for poll(2) or a ring; nonblocking.
    public var fileDescriptor: Int32 { socket.descriptor.number }

    /// The interfaces as of the last events, in the order of their indexes.
    public var links: [LinkState] { known.values.sorted { $0.index < $1.index } }

    /// Starts to listen, knowing the interfaces that there are.
    public init(in namespace: NetworkNamespace? = nil) throws(SystemError) {
        self.namespace = namespace
        socket = try NetworkNamespace.run(in: namespace) { () throws(SystemError) in
            try NetlinkSocket(groups: UInt32(RTMGRP_LINK), nonblocking: true)
        }
        // Listening first, listing then: what happens between is seen twice and told once.
        for link in try Link.all(in: namespace) { known[link.index] = link }
    }

    /// What happened since the last call; empty if nothing did. Does not wait.
    public func events() throws(SystemError) -> [LinkEvent] {
        var events: [LinkEvent] = []
        do throws(SystemError) {
            while let datagram = try socket.receive() {
                for message in NetlinkMessage.messages(in: datagram) {
                    take(message, into: &events)
                }
            }
        } catch {
            guard error.errno == ENOBUFS else { throw error }
            try resynchronize(into: &events)
        }
        return events
    }

    private func take(_ message: NetlinkMessage, into events: inout [LinkEvent]) {
        // A bridge reports its ports with the same types, but as family AF_BRIDGE.
        guard message.body.first == UInt8(AF_UNSPEC) else { return }
        let state = LinkState(body: message.body)
        switch message.type {
        case Int(RTM_NEWLINK): update(state, into: &events)
        case Int(RTM_DELLINK): remove(state.index, into: &events)
        default: break
        }
    }

    private func resynchronize(into events: inout [LinkEvent]) throws(SystemError) {
        let links = try Link.all(in: namespace)
        let present = Set(links.map(\.index))
        for index in known.keys.sorted() where !present.contains(index) {
            remove(index, into: &events)
        }
        for link in links { update(link, into: &events) }
    }

    private func remove(_ index: Int32, into events: inout [LinkEvent]) {
        if let before = known.removeValue(forKey: index) { events.append(.gone(before)) }
    }

    private func update(_ now: LinkState, into events: inout [LinkEvent]) {
        if let before = known[now.index], before.name != now.name {
            remove(now.index, into: &events)
        }
        let before = known.updateValue(now, forKey: now.index)
        guard let before else {
            events.append(.appeared(now))
            if now.isRunning { events.append(.up(now)) }
            return
        }
        if before.mtu != now.mtu { events.append(.mtuChanged(now)) }
        if before.isRunning != now.isRunning {
            events.append(now.isRunning ? .up(now) : .down(now))
        }
    }
}
