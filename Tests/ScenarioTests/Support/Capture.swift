import Lab
import Testing

/// What tcpdump sees on an interface from now on.
final class Capture {
    private let process: LabProcess
    private let path: String
    private let namespace: NetworkNamespace

    init(_ scenario: Scenario, on interface: String = "eth0", of station: Station, _ filter: String)
        throws
    {
        namespace = station.namespace
        let name = scenario.programName("capture")
        path = "\(scenario.lab.directory)/\(name).pcap"
        // Immediate, so that nothing waits in the kernel, and packet by packet to the file; with
        // room for a burst, of which each packet would take a slot of the longest length.
        process = try station.spawn(
            [
                "tcpdump", "-i", interface, "--immediate-mode", "-s", "2048", "-B", "16384", "-U",
                "-w", path, "-Z", "root", filter,
            ], name: name)
        #expect(try eventually { process.logTail().contains("listening on") })
    }

    /// Ends the capture and tells what it saw: of each packet the fields, as tshark calls them.
    /// Commas part a field's values, from the outermost header inwards.
    func packets(_ fields: String...) throws -> [[Substring]] { try packets(fields) }

    /// The same.
    func packets(_ fields: [String]) throws -> [[Substring]] {
        process.stop()
        let arguments = fields.flatMap { ["-e", $0] }
        let text = try Command(
            ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=a"] + arguments
        ).inside(namespace).check()
        return text.split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false)
        }
    }

    /// How many packets have been captured so far.
    func count() throws -> Int {
        // "3 packets"
        let text = try Command(["tcpdump", "--count", "-r", path]).inside(namespace).run().stdout
        return text.split(separator: " ").first.flatMap { Int($0) } ?? 0
    }
}
