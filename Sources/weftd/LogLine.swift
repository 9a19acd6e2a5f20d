import ControlAPI
import Foundation
package import Glibc
package import Logging

/// What the log's lines look like.
package struct LogStyle: Sendable, Equatable {
    package enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    /// What a line is made of.
    package var format: Format
    /// The journal reads the lines: it takes a priority in front, as sd-daemon(3) has it, and adds
    /// the time and the program's name by itself.
    package var isForJournal: Bool

    /// Lines of `format`.
    package init(_ format: Format, isForJournal: Bool) {
        self.format = format
        self.isForJournal = isForJournal
    }

    /// Whether a file that has this device and inode is the journal's, which JOURNAL_STREAM names
    /// as DEVICE:INODE (systemd.exec(5)).
    package static func isJournal(
        _ environment: [String: String], device: UInt64, inode: UInt64
    ) -> Bool {
        environment["JOURNAL_STREAM"] == "\(device):\(inode)"
    }

    /// Whether the journal reads standard error.
    package static func journalReadsStandardError(_ environment: [String: String]) -> Bool {
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return false }
        return isJournal(
            environment, device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}

extension LogStyle {
    /// Why the daemon ends before it has a log, a line for each line of `reason`.
    package func complaint(_ reason: String, at time: timespec) -> [UInt8] {
        reason.split(separator: "\n").flatMap { line in
            self == LogStyle(.text, isForJournal: false)
                ? Array("weftd: \(line)\n".utf8)
                : LogLine(.critical, String(line)).bytes(self, at: time)
        }
    }
}

/// One event, in one line.
package struct LogLine: Sendable {
    package var level: Logger.Level
    package var message: String
    package var details: Logger.Metadata

    package init(_ level: Logger.Level, _ message: String, _ details: Logger.Metadata = [:]) {
        self.level = level
        self.message = message
        self.details = details
    }

    /// The line's bytes, its end included. `time` is since 1970.
    package func bytes(_ style: LogStyle, at time: timespec) -> [UInt8] {
        let priority = style.isForJournal ? "<\(level.priority)>" : ""
        let time = style.isForJournal ? nil : Self.text(of: time)
        switch style.format {
        case .text: return Array("\(priority)\(text(time))\n".utf8)
        case .json: return Array(priority.utf8) + json(time)
        }
    }

    /// `TIME LEVEL MESSAGE key=value`. Lists and maps are for JSON: what they say is in the message
    /// too, as far as a reader wants it.
    private func text(_ time: String?) -> String {
        var words = time.map { ["\($0) \(level.rawValue)"] } ?? []
        words.append(message.withoutControls)
        for (key, value) in details.sorted(by: { $0.key < $1.key }) {
            switch value {
            case .array, .dictionary: continue
            case .string, .stringConvertible: words.append("\(key)=\("\(value)".quotedIfNeeded)")
            }
        }
        return words.joined(separator: " ")
    }

    private func json(_ time: String?) -> [UInt8] {
        var fields = details.mapValues(\.json)
        // The event's own fields keep their names.
        for name in ["time", "level", "message"] {
            if let other = fields.removeValue(forKey: name) { fields["\(name)_"] = other }
        }
        fields["level"] = .string(level.rawValue)
        fields["message"] = .string(message)
        fields["time"] = time.map { .string($0) }
        return (try? JSON.encode(JSONTree.object(fields))) ?? []
    }

    /// RFC 3339, UTC, with milliseconds.
    private static func text(of time: timespec) -> String {
        var parts = tm()
        var seconds = time.tv_sec
        gmtime_r(&seconds, &parts)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", Int(parts.tm_year) + 1900,
            Int(parts.tm_mon) + 1, Int(parts.tm_mday), Int(parts.tm_hour), Int(parts.tm_min),
            Int(parts.tm_sec), time.tv_nsec / 1_000_000)
    }
}

extension Logger.Level {
    /// The priority of syslog(3).
    package var priority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

extension Logger.MetadataValue {
    fileprivate var json: JSONTree {
        switch self {
        case .string(let text): .string(text)
        case .stringConvertible(let value): .string("\(value)")
        case .array(let values): .array(values.map(\.json))
        case .dictionary(let fields): .object(fields.mapValues(\.json))
        }
    }
}

extension String {
    /// With each control character written out, so that an event stays on its line and a terminal
    /// does nothing unexpected.
    fileprivate var withoutControls: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            text += scalar.isControl ? scalar.escaped(asASCII: true) : String(scalar)
        }
    }

    /// In quotes, if it could be mistaken for anything else than one value.
    fileprivate var quotedIfNeeded: String {
        let isPlain =
            !isEmpty
            && !unicodeScalars.contains { $0.isControl || $0 == " " || $0 == "\"" || $0 == "=" }
        guard !isPlain else { return self }
        let escaped = replacingOccurrences(of: "\\", with: "\\\\")
            .replacingOccurrences(of: "\"", with: "\\\"")
        return "\"\(escaped.withoutControls)\""
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
