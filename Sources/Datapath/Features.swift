import Catalog
import Logging
import Ports
import Uring

/// A feature of the kernel that a worker can do without, and whether it has to.
struct Feature: Sendable {
    var inUse: Bool
    /// Why not.
    var reason: String?

    /// In use if it is both wanted and there.
    init(wanted: Bool, key: String, available: Bool, otherwise: String) {
        inUse = wanted && available
        reason = inUse ? nil : wanted ? otherwise : "off by \(key)"
    }
}

/// What the kernel offers and the configuration wants: the steps down from the fastest way.
struct Features: Sendable {
    let readMultishot: Feature
    let udpSegment: Feature
    let udpGRO: Feature
    let coalesce: Feature
    let trains: Feature
    let deferTaskWork: Feature
    private let kernel: KernelFeatures

    init(
        _ configuration: Configuration, _ kernel: KernelFeatures, _ receiver: UnderlayReceiver,
        _ transmitter: UnderlayTransmitter
    ) {
        self.kernel = kernel
        let offloads = configuration.offloads
        let zeroChecksum = !configuration.underlay.checksum
        let noChecksum = "needs outer checksums (underlay.checksum)"
        readMultishot = Feature(
            wanted: offloads.readMultishot, key: "offloads.readMultishot",
            available: kernel.readMultishot, otherwise: "needs Linux 6.7")
        udpSegment = Feature(
            wanted: offloads.udpSegment, key: "offloads.udpSegment",
            available: transmitter.hasSegmentation && !zeroChecksum,
            otherwise: zeroChecksum ? noChecksum : "the kernel refuses UDP_SEGMENT")
        udpGRO = Feature(
            wanted: offloads.udpGRO, key: "offloads.udpGRO",
            available: receiver.hasReceiveOffload, otherwise: "the kernel refuses UDP_GRO")
        coalesce = Feature(
            wanted: offloads.coalesce, key: "offloads.coalesce", available: true, otherwise: "")
        trains = Feature(
            wanted: offloads.trains, key: "offloads.trains", available: udpSegment.inUse,
            otherwise: "needs UDP_SEGMENT")
        deferTaskWork = Feature(
            wanted: true, key: "", available: kernel.deferTaskWork, otherwise: "needs Linux 6.1")
    }

    /// Name, state and reason of each.
    var all: [(name: String, feature: Feature)] {
        [
            ("readMultishot", readMultishot), ("udpSegment", udpSegment), ("udpGRO", udpGRO),
            ("coalesce", coalesce), ("trains", trains), ("deferTaskWork", deferTaskWork),
        ]
    }

    /// What cannot be done without.
    func require() throws(DatapathError) {
        if let error = kernel.uringError { throw DatapathError(description: "\(error)") }
        guard kernel.bufferRings, kernel.receiveMultishot else {
            throw DatapathError(
                description: "this kernel's io_uring has no multishot receive with provided "
                    + "buffers: weftd needs Linux 6.1 or later (Debian 12 has it)")
        }
    }

    func log(_ logger: Logger, workers: Int, underlay: SocketAddress) {
        logger.info("carrying VXLAN on \(underlay) with \(workers) worker(s)")
        for (name, feature) in all where !feature.inUse {
            logger.notice("without \(name): \(feature.reason ?? "unknown")")
        }
    }
}
