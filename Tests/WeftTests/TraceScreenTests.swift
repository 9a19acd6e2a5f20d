import ControlAPI
import Testing
import weft

@Suite("What weft trace shows")
struct TraceScreenTests {
    @Test("each stage once, and why a copy ends")
    func screen() {
        let trace = TraceReply(
            verdict: TraceVerdict(.flooded),
            steps: [
                TraceStep(.frame, "a > b"), TraceStep(.frame, "source IP: made up"),
                TraceStep(.destination, "no endpoint has b"),
                TraceStep(.delivery, "port vm2: device weft-vm2 is missing", drop: "portDown"),
                TraceStep(.verdict, "flooded", drop: nil),
            ], destinations: [], frame: "", answer: nil)
        let expected = """
            frame        a > b
                         source IP: made up
            destination  no endpoint has b
            delivery     port vm2: device weft-vm2 is missing  -> portDown
            verdict      flooded

            """
        #expect(TraceScreen.render(trace) == expected)
    }

    @Test("the verdict's reason stands in its text already")
    func dropped() {
        let trace = TraceReply(
            verdict: TraceVerdict(.dropped, reason: "tooBig", description: "Too long."),
            steps: [TraceStep(.verdict, "dropped, tooBig: Too long.", drop: "tooBig")],
            destinations: [], frame: "", answer: nil)
        #expect(TraceScreen.render(trace) == "verdict      dropped, tooBig: Too long.\n")
    }
}
