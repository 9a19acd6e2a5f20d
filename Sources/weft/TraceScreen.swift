package import ControlAPI

/// The steps of a trace, one per line.
package enum TraceScreen {
    /// Each stage is named once; a step that ends the frame's way is marked with the reason.
    package static func render(_ trace: TraceReply) -> String {
        let width = TraceStep.Stage.allCases.map(\.rawValue.count).max() ?? 0
        var before: TraceStep.Stage?
        return trace.steps.map { step in
            let name = step.stage == before ? "" : step.stage.rawValue
            before = step.stage
            let padding = String(repeating: " ", count: width - name.count)
            let isTold = step.stage == .verdict
            let drop = isTold ? "" : step.drop.map { "  -> \($0)" } ?? ""
            return "\(name)\(padding)  \(step.text)\(drop)\n"
        }.joined()
    }
}
