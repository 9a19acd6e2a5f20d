/// ` (did you mean X?)` for the candidate nearest to `word`, or nothing if none is near.
func suggestion(for word: String, among candidates: some Sequence<String>) -> String {
    let plain = simplified(word)
    guard !plain.isEmpty, plain.count <= 64 else { return "" }
    let near = candidates.lazy
        .map { (name: $0, distance: editDistance(plain, simplified($0))) }
        .filter { $0.distance <= max(1, min(plain.count, $0.name.utf8.count) / 3) }
        .min { $0.distance < $1.distance }
    return near.map { " (did you mean `\($0.name)`?)" } ?? ""
}

/// Lower case and without separators: `source_ports` and `sourcePorts` are the same mistake.
private func simplified(_ word: String) -> [UInt8] {
    word.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
}

/// How many insertions, deletions, replacements and swaps of neighbours make `one` of `other`
/// (optimal string alignment).
private func editDistance(_ one: [UInt8], _ other: [UInt8]) -> Int {
    var before: [Int] = []
    var previous = Array(0...other.count)
    for i in one.indices {
        var row = [i + 1]
        for j in other.indices {
            var cost = min(
                previous[j + 1] + 1, row[j] + 1, previous[j] + (one[i] == other[j] ? 0 : 1))
            if i > 0, j > 0, one[i] == other[j - 1], one[i - 1] == other[j] {
                cost = min(cost, before[j - 1] + 1)
            }
            row.append(cost)
        }
        (before, previous) = (previous, row)
    }
    return previous[other.count]
}
