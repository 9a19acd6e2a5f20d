import BenchSupport
import FoundationEssentials
import Glibc

extension ResultFile {
    /// Reads a file of the format that this program writes.
    static func read(_ path: String) throws -> ResultFile {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let text = try readText(path)
        let file: ResultFile
        do {
            file = try decoder.decode(ResultFile.self, from: Data(text.utf8))
        } catch {
            throw BenchError("\(path) holds no results of weft-bench: \(error)")
        }
        guard file.schema == currentSchema else {
            throw BenchError("\(path) has schema \(file.schema), not \(currentSchema)")
        }
        return file
    }

    /// Writes it to a file, or to one named by date, commit and `suffix` in a directory; returns
    /// its path.
    func write(to path: String, suffix: String = "") throws -> String {
        var status = stat()
        let isDirectory = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        let day = date.prefix { $0 != "T" }
        let path = isDirectory ? "\(path)/\(day)-\(commit)\(suffix).json" : path
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
        return path
    }
}
