import Catalog
import TestFrames
import Testing

@testable import Datapath

/// Who stays keeps its row; a row that is given up is given away by a later change only.
@Suite("Rows")
struct RowTableTests {
    private func networks(_ names: String) -> [Network] {
        names.enumerated().map { Network(name: String($1), vni: UInt32($0 + 1)) }
    }

    private func named(_ names: String) -> [Network] {
        names.map { Network(name: String($0), vni: UInt32($0.asciiValue!)) }
    }

    @Test func whoStaysKeepsItsRow() {
        let before = RowTable(named("abc"))
        let (after, change) = before.replaced(by: named("cad"))
        #expect(after.rows.map { $0?.name } == ["a", nil, "c", "d"])
        #expect(change == .init(added: [3], removed: [1], changed: []))
        #expect(after.row(of: "b") == nil)
        #expect(after.row(of: "d") == 3)
    }

    @Test func anEmptyRowIsGivenAwayByALaterChange() {
        let (gone, _) = RowTable(named("abc")).replaced(by: named("ac"))
        let (back, change) = gone.replaced(by: named("acxy"))
        #expect(back.rows.map { $0?.name } == ["a", "x", "c", "y"])
        #expect(change.added == [1, 3])
    }

    @Test func anotherElementOfTheSameNameIsAChange() {
        let before = RowTable(networks("ab"))
        let (_, change) = before.replaced(by: networks("ba"))
        #expect(Set(change.changed) == [0, 1])
        #expect(change.summary == "~2")
        #expect(before.replaced(by: networks("ab")).1.summary == "=")
    }

    /// Over many changes.
    @Test(arguments: [UInt64.random(in: 0 ... .max), 1])
    func rowsAreTrueToTheirNames(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = RowTable(named("abcdef"))
        for _ in 0..<2000 {
            let before = table
            let names = "abcdefghijklmnop".filter { _ in Bool.random(using: &random) }
            let (after, change) = table.replaced(by: named(String(names.shuffled(using: &random))))
            #expect(Set(after.entries.map(\.element.name)) == Set(names.map(String.init)))
            for (row, element) in after.entries {
                #expect(after.row(of: element.name) == row)
                if let old = before.row(of: element.name) {
                    #expect(row == old)
                } else {
                    #expect(change.added.contains(row))
                    #expect(before[row] == nil, "nobody had it before this change")
                }
            }
            #expect(change.removed.allSatisfy { after[$0] == nil && before[$0] != nil })
            #expect(after.rows.count <= 16, "rows are used again")
            table = after
        }
    }
}
