import Lab
import Testing

extension Scenario {
    /// The control socket of a host's daemon.
    func socket(_ host: Host) -> String {
        daemons.first { $0.host === host }?.socketPath ?? ""
    }

    /// What `weft` says on a host. Ending with anything but 0 is an issue.
    @discardableResult
    func weft(_ host: Host, _ arguments: String...) throws -> String {
        let result = try run(host, arguments)
        #expect(result.status == 0, "\(arguments): \(result.stderr)")
        return result.stdout
    }

    /// How `weft` ends on a host, and what it says.
    func weftResult(_ host: Host, _ arguments: String...) throws -> CommandResult {
        try run(host, arguments)
    }

    /// The same.
    func weftResult(_ host: Host, _ arguments: [String]) throws -> CommandResult {
        try run(host, arguments)
    }

    private func run(_ host: Host, _ arguments: [String]) throws -> CommandResult {
        try host.run(
            ["\(Lab.programDirectory)/weft"] + arguments + ["--socket", socket(host)])
    }
}
