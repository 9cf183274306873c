#if Agent
import HostMetrics
import Testing

@testable import PsistatsAgent

@Suite("Sampler core") struct SamplerCoreTests {
    private let origin = SuspendingClock.now

    private func at(_ seconds: Double) -> SuspendingClock.Instant { origin.advanced(by: .seconds(seconds)) }

    private func reading(_ key: String) -> Reading {
        Reading(fields: [ReportField(key: key, value: .integer(1))])
    }

    private func keys(_ batches: [SamplerCore.Batch]) -> [[String]] {
        batches.map { $0.readings.flatMap { $0.reading.fields.map(\.key) } }
    }

    @Test("a tick's report leaves when the last has answered, in the order of the reporters")
    func complete() {
        var core = SamplerCore(intervals: [.seconds(2), .seconds(2)], isCombined: true, origin: origin)
        #expect(core.timePassed(to: origin, wallClock: 7) == [0, 1])
        core.answered(1, reading("mem"))
        #expect(core.takeBatches().isEmpty)
        core.answered(0, reading("cpu"))
        let batches = core.takeBatches()
        #expect(keys(batches) == [["cpu", "mem"]])
        #expect(batches.first?.measuredAt == 7)
        #expect(core.takeBatches().isEmpty)
        #expect(core.nextMoment == at(2))
    }

    @Test("who is slow holds up nobody, and is reported by itself with the time at which it was asked")
    func straggler() {
        var core = SamplerCore(intervals: [.seconds(2), .seconds(10)], isCombined: true, origin: origin)
        _ = core.timePassed(to: origin, wallClock: 100)
        core.answered(0, reading("cpu"))
        #expect(core.takeBatches().isEmpty)
        #expect(core.nextMoment == at(0.25))
        #expect(core.timePassed(to: at(0.25), wallClock: 100) == [])
        #expect(keys(core.takeBatches()) == [["cpu"]])
        core.answered(1, reading("hddtemp"))
        let late = core.takeBatches()
        #expect(keys(late) == [["hddtemp"]])
        #expect(late.first?.measuredAt == 100)
    }

    @Test("who has not answered by its next tick is skipped, and asked again afterwards")
    func skipping() {
        var core = SamplerCore(intervals: [.seconds(1)], isCombined: true, origin: origin)
        #expect(core.timePassed(to: origin, wallClock: 0) == [0])
        for second in 1...5 { #expect(core.timePassed(to: at(Double(second)), wallClock: 0) == []) }
        #expect(core.skipped == 5)
        core.answered(0, Reading(failures: [CollectorError(source: "x", reason: .stillWaiting)]))
        #expect(core.timePassed(to: at(6), wallClock: 0) == [0])
        #expect(core.skipped == 5)
    }

    @Test("a tick that follows before the one before is complete ends that")
    func overlap() {
        var core = SamplerCore(
            intervals: [.seconds(2), .seconds(3)],
            isCombined: true,
            patience: .seconds(60),
            origin: origin
        )
        _ = core.timePassed(to: origin, wallClock: 0)
        core.answered(0, reading("cpu"))
        #expect(core.timePassed(to: at(2), wallClock: 2) == [0])
        #expect(keys(core.takeBatches()) == [["cpu"]])
        core.answered(1, reading("slow"))
        core.answered(0, reading("cpu"))
        #expect(keys(core.takeBatches()) == [["slow"], ["cpu"]])
    }

    @Test("where each reporter has a message of its own, none waits for another")
    func separate() {
        var core = SamplerCore(intervals: [.seconds(2), .seconds(2)], isCombined: false, origin: origin)
        _ = core.timePassed(to: origin, wallClock: 5)
        core.answered(0, reading("cpu"))
        #expect(keys(core.takeBatches()) == [["cpu"]])
        core.answered(1, reading("mem"))
        #expect(keys(core.takeBatches()) == [["mem"]])
        #expect(core.nextMoment == at(2))
    }

    @Test("an answer that nobody asked for is passed over")
    func uninvited() {
        var core = SamplerCore(intervals: [.seconds(2)], isCombined: true, origin: origin)
        core.answered(0, reading("cpu"))
        core.answered(9, reading("cpu"))
        #expect(core.takeBatches().isEmpty)
    }

    @Test("however answers come, each reading asked for is reported once")
    func storm() {
        var random = SplitMix64(seed: 99)
        for _ in 0..<200 {
            let intervals = (0..<6).map { _ in Duration.milliseconds(Int.random(in: 50...900, using: &random)) }
            var core = SamplerCore(intervals: intervals, isCombined: .random(using: &random), origin: origin)
            var out: Set<Int> = []
            var asked = 0
            var reported = 0
            for step in 0..<500 {
                for reporter in core.timePassed(to: at(Double(step) / 50), wallClock: 0) {
                    #expect(out.insert(reporter).inserted)
                    asked += 1
                }
                while let one = out.randomElement(using: &random), .random(using: &random) {
                    out.remove(one)
                    core.answered(one, reading("\(one)"))
                }
                reported += core.takeBatches().reduce(0) { $0 + $1.readings.count }
            }
            for one in out { core.answered(one, reading("\(one)")) }
            _ = core.timePassed(to: at(1_000), wallClock: 0)
            reported += core.takeBatches().reduce(0) { $0 + $1.readings.count }
            #expect(reported == asked)
        }
    }
}
#endif
