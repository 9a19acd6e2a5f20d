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
        for (index, _) in rows.ports.entries where ports[index] == nil {
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
        for (index, _) in rows.ports.entries {
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
        guard let port = rows.ports[index], let mtu = plan.mtu(of: port) else { return }
        let device = try AttachedPort(
            port, mtu: mtu, workers: workers.count, offloads: configuration.offloads,
            store: handover.store)
        ports[index] = device
        complaints[index] = nil
        for worker in workers {
            worker.mailbox.post(.attach(UInt16(index), device.queue(worker.index)))
        }
        logger.info(
            "port \(port.name): attached \(port.device) to network \(port.network)",
            metadata: ["offloads": "\(device.offloads)"])
        noteUSO(of: device)
        note(port: index, isUp: (try? device.state())?.isRunning ?? false)
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
        logger.warning("port \(name(ofPort: index)): \(reason); will try again")
    }

    private func name(ofPort index: Int) -> String { rows.ports[index]?.name ?? "\(index)" }

    /// Lets go of a device that is gone.
    private func lose(_ index: Int, _ reason: String) {
        detach(index)
        logger.warning("port \(name(ofPort: index)): \(reason)")
    }

    /// Lets go of a port's device, and lets the device go too if it is a TAP that may be deleted.
    func detach(_ index: Int, deletingDevice: Bool = false) {
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
        if deletingDevice { device.endWithUs() }
        withExtendedLifetime(device) { ports[index] = nil }
        handover.store?.release(device.storeName)
        note(port: index, isUp: false)
        tables.forget([.port(UInt16(index))])
    }

    func waitForAcknowledgement(_ worker: WorkerThread, beyond count: Int) -> Bool {
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
                lose(index, "\(link.name) is gone; will attach it when it returns")
            }
            attachMissing()
        case .appeared: attachMissing()
        case .up(let link):
            let indices = indices(of: link, in: namespace)
            guard !indices.isEmpty else { return }
            for worker in workers { worker.mailbox.post(.resume) }
            for index in indices { note(port: index, isUp: true) }
        case .down(let link):
            for index in indices(of: link, in: namespace) { note(port: index, isUp: false) }
        case .mtuChanged: break
        }
    }

    /// A TAP that was moved, and then deleted where nobody listens, is made again.
    func forgetDeletedTaps() {
        for index in ports.indices {
            guard let device = ports[index], device.isTap, device.isGone else { continue }
            lose(index, "\(device.link.name) is gone; will make it again")
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
                lose(index, "its network namespace \(namespace) was removed")
            }
            monitors[namespace] = nil
        }
        watchLinks()
    }

    // MARK: Paths

    /// Measures the paths again; networks whose MTU is `auto` follow.
    func followPaths() {
        let measured = Keeper.measurePaths(rows.peers, underlay)
        guard measured != pathMTUs else { return }
        pathMTUs = measured
        publish()
        setMTUs()
        logger.notice("path MTUs have changed", metadata: ["mtus": "\(measured)"])
    }

    /// Has the ports' devices follow their networks.
    func setMTUs() {
        for (index, port) in rows.ports.entries {
            guard let device = ports[index], let mtu = plan.mtu(of: port) else { continue }
            do {
                try device.setMTU(mtu)
            } catch {
                logger.warning("port \(port.name): \(error); its network's MTU is \(mtu)")
            }
        }
    }

    /// The topology as the configuration, the paths and the ports now make it.
    func makePlan() -> TopologyPlan {
        let takesUDP = ports.indices.filter { ports[$0]?.takesUDPSuperframes == true }
        return TopologyPlan(
            rows: rows, underlay: underlay, pathMTUs: pathMTUs,
            interfaceMTU: Keeper.interfaceMTU(of: underlay), takesUDPSuperframes: Set(takesUDP))
    }

    func publish() {
        plan = makePlan()
        tables.publish(plan.description)
    }

    /// By the peers' rows; the fallback for empty ones.
    static func measurePaths(_ peers: RowTable<Peer>, _ underlay: IPAddress) -> [Int] {
        let fallback = interfaceMTU(of: underlay)
        return peers.rows.map { peer in
            guard let peer else { return fallback }
            return (try? UnderlaySocket.pathMTU(from: underlay, to: peer.address)) ?? fallback
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
