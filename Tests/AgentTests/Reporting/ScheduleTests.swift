#if Agent
import Testing

@testable import PsistatsAgent

@Suite("Schedule") struct ScheduleTests {
    private let origin = SuspendingClock.now

    private func at(_ seconds: Double) -> SuspendingClock.Instant {
        origin.advanced(by: .milliseconds(Int((seconds * 1_000).rounded())))
    }

    @Test("everything is due at the origin, and then on one grid")
    func grid() {
        var schedule = Schedule(intervals: [.seconds(2), .seconds(5)], origin: origin)
        #expect(schedule.next == origin)
        var due: [Double: [Int]] = [:]
        for second in 0...10 { due[Double(second)] = schedule.takeDue(at: at(Double(second))) }
        #expect(due[0] == [0, 1])
        #expect([1, 3, 7, 9].allSatisfy { due[$0] == [] })
        #expect([2, 4, 6, 8].allSatisfy { due[$0] == [0] })
        #expect(due[5] == [1])
        #expect(due[10] == [0, 1])
    }

    @Test("asking late moves nothing")
    func lateness() {
        var schedule = Schedule(intervals: [.seconds(2)], origin: origin)
        for step in 0..<1_000 {
            #expect(schedule.takeDue(at: at(Double(step) * 2 + 0.3)) == [0])
            #expect(schedule.next == at(Double(step + 1) * 2))
        }
    }

    @Test("after a long pause each is due once, and then on the grid again")
    func pause() {
        var schedule = Schedule(intervals: [.seconds(2), .milliseconds(100)], origin: origin)
        _ = schedule.takeDue(at: origin)
        #expect(schedule.takeDue(at: at(3_601.05)) == [0, 1])
        #expect(schedule.takeDue(at: at(3_601.05)) == [])
        #expect(schedule.next == at(3_601.1))
        _ = schedule.takeDue(at: at(3_601.1))
        #expect(schedule.takeDue(at: at(3_602)).contains(0))
    }

    @Test("a reading is never due twice at one moment, whatever fractions the interval has")
    func fractions() {
        for interval in [0.1, 0.3, 0.7, 1.1, 1.0 / 3] {
            var schedule = Schedule(intervals: [.seconds(interval)], origin: origin)
            for _ in 0..<2_000 {
                guard let next = schedule.next else { break }
                #expect(schedule.takeDue(at: next) == [0])
                #expect(schedule.takeDue(at: next) == [])
            }
        }
    }

    @Test("with nothing to do nothing is due")
    func empty() {
        var schedule = Schedule(intervals: [], origin: origin)
        #expect(schedule.next == nil)
        #expect(schedule.takeDue(at: origin) == [])
    }
}
#endif
