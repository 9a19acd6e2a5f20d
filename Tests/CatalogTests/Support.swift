import Catalog
import Testing

/// A file with what is required, and `rest` after it: `rest` starts at line 3.
func configuration(_ rest: String = "") throws(ConfigurationError) -> Configuration {
    try Configuration.parse(
        yaml: "host: a\nunderlay: {address: 192.0.2.1}\n" + rest, file: "weft.yaml")
}

/// What is wrong with a whole file, one line per problem.
func problems(inFile yaml: String) -> [String] {
    do {
        _ = try Configuration.parse(yaml: yaml, file: "weft.yaml")
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// What is wrong with `rest` after the lines of `configuration(_:)`.
func problems(_ rest: String) -> [String] {
    problems(inFile: "host: a\nunderlay: {address: 192.0.2.1}\n" + rest)
}
