// The keeper's second task: ports and paths. An interface that goes away and returns is picked up
// again; a path whose MTU changes changes the networks that follow it.

import Catalog
import Forwarding
import Glibc
import Logging
import Ports
import Wire

extension Keeper {
    /// Listens to the namespaces that have ports.
    func watchLinks() {
        for port in configuration.ports {
            let namespace = port.netns.map { NetworkNamespace($0) }
            guard monitors[namespace] == nil else { continue }
            monitors[namespace] = try? LinkMonitor(in: namespace)
        }
    }

    /// Attaches every port that has no device, as far as there is one.
    func attachMissing() {
        var attached = false
        for index in ports.indices where ports[index] == nil {
            attached = attach(index) || attached
        }
        if attached { publish() }
    }

    private func attach(_ index: Int) -> Bool {
        let port = configuration.ports[index]
        guard let network = configuration.network(named: port.network) else { return false }
        do {
            let device = try AttachedPort(
                port, mtu: plan.mtu(of: network), workers: workers.count,
                offloads: configuration.offloads)
            ports[index] = device
            complaints[index] = nil
            for worker in workers {
                worker.mailbox.post(.attach(UInt16(index), device.queue(worker.index)))
            }
            logger.info(
                "port \(port.name): attached \(port.device) to network \(port.network)",
                metadata: ["offloads": "\(device.offloads)"])
            return true
        } catch {
            complain(index, "\(error)")
            return false
        }
    }

    /// Says once why a port has no device.
    private func complain(_ index: Int, _ reason: String) {
        guard complaints[index] != reason else { return }
        complaints[index] = reason
        logger.warning("port \(configuration.ports[index].name): \(reason); will try again")
    }

    /// Lets go of a device that is gone.
    private func detach(_ index: Int, _ reason: String) {
        guard let device = ports[index] else { return }
        let before = workers.map(\.mailbox.acknowledgements)
        for worker in workers { worker.mailbox.post(.detach(UInt16(index))) }
        // Descriptors are closed with `device`, so no worker may still use them. A worker answers
        // within a turn.
        for (worker, count) in zip(workers, before) {
            while worker.mailbox.acknowledgements == count { usleep(100) }
        }
        withExtendedLifetime(device) { ports[index] = nil }
        tables.forget(.port(UInt16(index)))
        logger.warning("port \(configuration.ports[index].name): \(reason)")
    }

    /// Takes what the kernel tells of interfaces.
    func followLinks() {
        for (namespace, monitor) in monitors {
            let events = (try? monitor.events()) ?? []
            for event in events { follow(event, in: namespace) }
        }
    }

    private func follow(_ event: LinkEvent, in namespace: NetworkNamespace?) {
        switch event {
        case .gone(let link):
            for index in indices(of: link, in: namespace) {
                detach(index, "\(link.name) is gone; will attach it when it returns")
            }
            attachMissing()
        case .appeared: attachMissing()
        case .up(let link):
            for index in indices(of: link, in: namespace) {
                for worker in workers { worker.mailbox.post(.resume(UInt16(index))) }
            }
        case .down, .mtuChanged: break
        }
    }

    private func indices(of link: LinkState, in namespace: NetworkNamespace?) -> [Int] {
        ports.indices.filter {
            ports[$0]?.link.index == link.index && ports[$0]?.link.namespace == namespace
        }
    }

    /// A namespace whose name was removed is let go, or our descriptors would keep it alive.
    func forgetRemovedNamespaces() {
        for case let namespace? in monitors.keys where access(namespace.path, F_OK) != 0 {
            for index in ports.indices where ports[index]?.link.namespace == namespace {
                detach(index, "its network namespace \(namespace) was removed")
            }
            monitors[namespace] = nil
        }
        watchLinks()
    }

    // MARK: Paths

    /// Measures the paths again; networks whose MTU is `auto` follow.
    func followPaths() {
        let measured = Keeper.measurePaths(configuration, underlay)
        guard measured != pathMTUs else { return }
        pathMTUs = measured
        publish()
        for (index, port) in configuration.ports.enumerated() {
            guard let device = ports[index],
                let network = configuration.network(named: port.network)
            else { continue }
            try? device.link.setMTU(plan.mtu(of: network))
        }
        logger.notice("path MTUs have changed", metadata: ["mtus": "\(measured)"])
    }

    /// Publishes the topology as the configuration, the paths and the ports now make it.
    func publish() {
        let names = zip(configuration.ports, ports).compactMap { port, device in
            device?.takesUDPSuperframes == true ? port.name : nil
        }
        plan = TopologyPlan(
            configuration: configuration, underlay: underlay, pathMTUs: pathMTUs,
            interfaceMTU: Keeper.interfaceMTU(of: underlay), takesUDPSuperframes: Set(names))
        tables.publish(plan.description)
    }

    static func measurePaths(_ configuration: Configuration, _ underlay: IPAddress) -> [Int] {
        let fallback = interfaceMTU(of: underlay)
        return configuration.peers.map {
            (try? UnderlaySocket.pathMTU(from: underlay, to: $0.address)) ?? fallback
        }
    }

    /// MTU of the interface that has the underlay address; 1500 if it cannot be told.
    static func interfaceMTU(of address: IPAddress) -> Int {
        guard let name = try? UnderlaySocket.interface(of: address),
            let state = try? Link(name).state()
        else { return 1500 }
        return state.mtu
    }
}
