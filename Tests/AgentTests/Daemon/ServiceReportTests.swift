#if Agent
import Testing

@testable import PsistatsAgent

@Suite("What a service manager is told")
struct ServiceReportTests {
    private let start = SuspendingClock.now

    private func condition(
        collecting: Bool = true,
        alive: Bool = true,
        broker: String = "no broker",
        counts: String = "0"
    ) -> ServiceReport.Condition {
        .init(isCollecting: collecting, isAlive: { alive }, broker: broker, counts: counts)
    }

    private func after(_ seconds: Double) -> SuspendingClock.Instant { start.advanced(by: .seconds(seconds)) }

    @Test("READY is told once, when it collects")
    func ready() {
        var report = ServiceReport(watchdogInterval: nil, now: start)
        #expect(report.assignments(condition(collecting: false), now: start) == ["STATUS=no broker; 0"])
        #expect(report.assignments(condition(), now: after(1)) == ["READY=1"])
        #expect(report.assignments(condition(collecting: false), now: after(2)) == [])
        #expect(report.assignments(condition(), now: after(3)) == [])
    }

    @Test("the broker is told when it changes, counts now and then, and nothing twice")
    func status() {
        var report = ServiceReport(watchdogInterval: nil, now: start)
        _ = report.assignments(condition(), now: start)
        #expect(report.nextMoment == after(10))
        #expect(report.assignments(condition(counts: "5"), now: after(1)) == [])
        #expect(report.assignments(condition(broker: "b", counts: "6"), now: after(2)) == ["STATUS=b; 6"])
        #expect(report.assignments(condition(broker: "b", counts: "7"), now: after(11)) == [])
        #expect(report.assignments(condition(broker: "b", counts: "8"), now: after(12)) == ["STATUS=b; 8"])
        #expect(report.assignments(condition(broker: "b", counts: "8"), now: after(22)) == [])
    }

    @Test("the watchdog is fed each half interval while all is alive, and again as soon as it is")
    func watchdog() {
        var report = ServiceReport(watchdogInterval: .seconds(8), now: start)
        #expect(report.assignments(condition(), now: start).last == "WATCHDOG=1")
        #expect(report.nextMoment == after(4))
        #expect(report.assignments(condition(), now: after(3.9)) == [])
        #expect(report.assignments(condition(), now: after(4)) == ["WATCHDOG=1"])
        #expect(report.assignments(condition(alive: false), now: after(8)) == [])
        #expect(report.nextMoment == after(9))
        #expect(report.assignments(condition(), now: after(9)) == ["WATCHDOG=1"])
    }

    @Test("whether all is alive is asked only when the watchdog is due")
    func probing() {
        var report = ServiceReport(watchdogInterval: .seconds(8), now: start)
        var asked = 0
        func step(_ seconds: Double) {
            _ = report.assignments(
                .init(
                    isCollecting: true,
                    isAlive: {
                        asked += 1
                        return true
                    },
                    broker: "",
                    counts: ""
                ),
                now: after(seconds)
            )
        }
        for tick in 0..<80 { step(Double(tick) / 10) }
        #expect(asked == 2)
    }

    @Test("a part is alive until its next step is overdue, and when it has come to its end")
    func liveness() {
        let liveness = Liveness()
        #expect(liveness.isAlive(at: start))
        liveness.step(nextWithin: .seconds(60), now: start)
        #expect(liveness.isAlive(at: after(60)))
        let overdue = start.advanced(by: .seconds(61) + Liveness.grace)
        #expect(!liveness.isAlive(at: overdue))
        // To wait for a broker is progress, as long as it looks for it in time.
        liveness.step(nextWithin: .seconds(10), now: overdue)
        #expect(liveness.isAlive(at: overdue))
        liveness.step(nextWithin: .zero, now: start)
        liveness.end()
        #expect(liveness.isAlive(at: overdue))
    }

    @Test("a thread that does not come round to new work is not alive")
    func probe() async throws {
        let thread = TaskThread()
        try thread.start()
        let probe = ThreadProbe(thread)
        #expect(probe.isAlive())
        try await eventually("an answer") { probe.isAlive() }
        let gate = Wedge()
        _ = thread.setAlarm(at: .now) { gate.wait() }
        try await eventually("a wedged thread") { gate.isReached && !probe.isAlive() }
        #expect(!probe.isAlive())
        gate.open()
        try await eventually("an answer") { probe.isAlive() }
    }

    /// Holds a thread up.
    private final class Wedge: Sendable {
        private let (reached, opened) = (try? EventDescriptor(), try? EventDescriptor())

        func wait() {
            reached?.ring()
            if let opened { PsistatsAgent.wait(until: nil, for: [opened.number]) }
        }

        var isReached: Bool {
            reached.map { !PsistatsAgent.wait(until: .now, for: [$0.number]).isEmpty } ?? false
        }

        func open() { opened?.ring() }
    }

    @Test("alarms ring in the order of their moments, cancelled ones never; tasks run meanwhile")
    func alarms() async throws {
        let thread = TaskThread()
        try thread.start()
        let now = SuspendingClock.now
        let (stream, continuation) = AsyncStream<Int>.makeStream()
        _ = thread.setAlarm(at: now.advanced(by: .milliseconds(40))) {
            continuation.yield(3)
            continuation.finish()
        }
        let cancelled = thread.setAlarm(at: now.advanced(by: .milliseconds(20))) { continuation.yield(2) }
        _ = thread.setAlarm(at: now.advanced(by: .milliseconds(10))) { continuation.yield(1) }
        thread.cancelAlarm(cancelled)
        let task = Task(executorPreference: thread) { 7 }
        #expect(await task.value == 7)
        var rung: [Int] = []
        for await number in stream { rung.append(number) }
        #expect(rung == [1, 3])
        await Task(executorPreference: thread) { await thread.sleep(for: .milliseconds(1)) }.value
        let sleeper = Task(executorPreference: thread) { await thread.sleep(for: .seconds(3_600)) }
        sleeper.cancel()
        await sleeper.value
    }
}
#endif
