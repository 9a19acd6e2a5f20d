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
            if let namespace { namespaceIdentities[namespace] = namespace.identity }
            monitors[namespace] = try? LinkMonitor(in: namespace)
        }
    }

    /// Attaches every port that has no device, as far as there is one.
    func attachMissing() {
        var attached = false
        for index in ports.indices where ports[index] == nil {
            do {
                try attach(index)
                attached = true
            } catch {
                complain(index, "\(error)")
            }
        }
        if attached { publish() }
    }

    /// Attaches every port that has a device now, at start. A device that is missing may come
    /// later; what no waiting mends is thrown: no driver, no privilege.
    func attachFirst() throws(SystemError) {
        for index in ports.indices {
            do {
                try attach(index)
            } catch {
                let isHopeless =
                    error.errno == EPERM || error.errno == EACCES
                    || error.call == Tap.openCall
                if isHopeless { throw error }
                complain(index, "\(error)")
            }
        }
        publish()
    }

    private func attach(_ index: Int) throws(SystemError) {
        let port = configuration.ports[index]
        guard let network = configuration.network(named: port.network) else { return }
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
        noteUSO(of: device)
    }

    /// Whether the kernel hands over UDP superframes is known from the first TAP.
    private func noteUSO(of device: AttachedPort) {
        guard device.isTap, kernelTakesUSO == nil else { return }
        kernelTakesUSO = device.takesUDPSuperframes
        guard !device.takesUDPSuperframes, configuration.offloads.uso else { return }
        logger.notice("without uso: needs Linux 6.2")
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
        // within a turn; if one does not, keeping a descriptor open is the lesser evil.
        for (worker, count) in zip(workers, before) {
            guard waitForAcknowledgement(worker, beyond: count) else {
                logger.error("worker \(worker.index) does not let go of \(device.link.name)")
                _ = Unmanaged.passRetained(device)
                continue
            }
        }
        withExtendedLifetime(device) { ports[index] = nil }
        tables.forget(.port(UInt16(index)))
        logger.warning("port \(configuration.ports[index].name): \(reason)")
    }

    private func waitForAcknowledgement(_ worker: WorkerThread, beyond count: Int) -> Bool {
        for _ in 0..<50_000 {
            if worker.mailbox.acknowledgements != count { return true }
            usleep(100)
        }
        return false
    }

    /// Takes what the kernel tells of interfaces.
    func followLinks() {
        for (namespace, monitor) in monitors {
            do {
                for event in try monitor.events() { follow(event, in: namespace) }
            } catch {
                // A new one starts from what there is now.
                logger.warning("watching interfaces: \(error)")
                monitors[namespace] = nil
            }
        }
        watchLinks()
    }

    private func follow(_ event: LinkEvent, in namespace: NetworkNamespace?) {
        switch event {
        case .gone(let link):
            for index in indices(of: link, in: namespace) where ports[index]?.isGone == true {
                detach(index, "\(link.name) is gone; will attach it when it returns")
            }
            attachMissing()
        case .appeared: attachMissing()
        case .up(let link):
            guard !indices(of: link, in: namespace).isEmpty else { return }
            for worker in workers { worker.mailbox.post(.resume) }
        case .down, .mtuChanged: break
        }
    }

    /// A TAP that was moved, and then deleted where nobody listens, is made again.
    func forgetDeletedTaps() {
        for index in ports.indices {
            guard let device = ports[index], device.isTap, device.isGone else { continue }
            detach(index, "\(device.link.name) is gone; will make it again")
        }
        attachMissing()
    }

    private func indices(of link: LinkState, in namespace: NetworkNamespace?) -> [Int] {
        ports.indices.filter {
            ports[$0]?.link.index == link.index && ports[$0]?.link.namespace == namespace
        }
    }

    /// A namespace whose name was removed, or now names another, is let go, or our descriptors
    /// would keep it alive.
    func forgetRemovedNamespaces() {
        for case let namespace? in monitors.keys
        where namespace.identity != namespaceIdentities[namespace] {
            for index in ports.indices where ports[index]?.link.namespace == namespace {
                // A TAP that was moved out before is not touched by it.
                if ports[index]?.hasLeft(namespaceIdentities[namespace]) == true { continue }
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
            try? device.setMTU(plan.mtu(of: network))
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
