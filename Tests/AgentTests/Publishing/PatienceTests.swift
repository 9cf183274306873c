#if Agent
import AMQPWire
import Testing

@testable import PsistatsAgent

@Suite("Patience with brokers") struct PatienceTests {
    private func pauses(first: Duration, count: Int, seed: UInt64 = 5) -> [Duration] {
        var random = SplitMix64(seed: seed)
        var backoff = Backoff(first: first)
        return (0..<count).map { _ in backoff.next(using: &random) }
    }

    @Test("pauses double up to a minute, and vary by a fifth")
    func backoff() {
        for seed in 0..<50 {
            let pauses = pauses(first: .seconds(5), count: 12, seed: UInt64(seed))
            for (pause, base) in zip(pauses, [5, 10, 20, 40, 60, 60, 60, 60, 60, 60, 60, 60]) {
                #expect(pause >= .seconds(base) * 0.8 && pause <= .seconds(base) * 1.2)
            }
        }
        #expect(Set(pauses(first: .seconds(5), count: 1) + pauses(first: .seconds(5), count: 1, seed: 6)).count == 2)
    }

    @Test("a first pause of 0 means at once, and then it grows all the same")
    func atOnce() {
        let pauses = pauses(first: .zero, count: 40)
        #expect(pauses[0] == .zero)
        #expect(pauses[1] >= .milliseconds(400) && pauses[1] <= .milliseconds(600))
        #expect(pauses[39] >= .seconds(48) && pauses[39] <= .seconds(72))
    }

    @Test("a first pause over a minute is kept, and does not grow")
    func longPause() {
        #expect(pauses(first: .seconds(600), count: 100).allSatisfy { $0 >= .seconds(480) && $0 <= .seconds(720) })
    }

    @Test("the longest pause can be set, and one that is not longer than the first keeps all pauses as they are")
    func longest() {
        func pauses(_ first: Duration, _ longest: Duration) -> [Duration] {
            var random = SplitMix64(seed: 5)
            var backoff = Backoff(first: first, longest: longest)
            return (0..<30).map { _ in backoff.next(using: &random) }
        }
        #expect(pauses(.seconds(5), .seconds(5)) == Array(repeating: .seconds(5), count: 30))
        #expect(pauses(.seconds(5), .seconds(1)) == Array(repeating: .seconds(5), count: 30))
        #expect(pauses(.seconds(5), .seconds(20)).suffix(20).allSatisfy { $0 >= .seconds(16) && $0 <= .seconds(24) })
        #expect(pauses(.seconds(5), .seconds(600)).max() ?? .zero > .seconds(400))
        // At once, and then never without any pause.
        #expect(pauses(.zero, .milliseconds(1)) == [.zero] + Array(repeating: .milliseconds(250), count: 29))
    }

    @Test("a failure is told once, its repetitions ever more rarely, and each other reason once")
    func outage() {
        var log = OutageLog()
        var lines: [OutageLog.Line] = []
        for _ in 0..<1_000 {
            let line = log.failed("refused")
            if line != .nothing { lines.append(line) }
        }
        #expect(
            lines == [
                .first("refused"), .still("refused", failures: 10), .still("refused", failures: 100),
                .still("refused", failures: 1_000),
            ]
        )
        #expect(log.failed("unknown host") == .first("unknown host"))
        #expect(log.failures == 1_001)
    }

    @Test("reasons that differ each time do not fill the log")
    func changingReasons() {
        var log = OutageLog()
        let told = (0..<1_000).filter { log.failed("port \($0)") != .nothing }
        #expect(told.count == 8 + 3)
    }

    @Test("a message that the broker refuses is found by sending one at a time, and then all go together again")
    func culprit() {
        let refusal = AMQPError(.channelClosed, scope: .channel, "", reply: AMQPError.Reply(code: 406, text: ""))
        var repairs = Repairs()
        #expect(repairs.window == PublishingSession.usualWindow)
        #expect(repairs.action(after: refusal) == .sendOneByOne)
        #expect(repairs.window == 1)
        for _ in 0..<10 { repairs.confirmed() }
        #expect(repairs.action(after: refusal) == .giveUp)
        #expect(repairs.window == 1)
        for _ in 0..<PublishingSession.usualWindow { repairs.confirmed() }
        #expect(repairs.window == PublishingSession.usualWindow)
    }

    @Test("what went away is declared again, a few times; what the broker refuses for itself is given up")
    func repairs() {
        func error(_ code: AMQPError.Code, _ reply: UInt16? = nil, _ delivery: AMQPError.DeliveryState? = nil)
            -> AMQPError
        {
            AMQPError(
                code,
                scope: .channel,
                "",
                reply: reply.map { AMQPError.Reply(code: $0, text: "") },
                delivery: delivery
            )
        }
        var repairs = Repairs()
        #expect(repairs.action(after: error(.publishReturned, 312)) == .declareAgain)
        #expect(repairs.action(after: error(.channelClosed, 404)) == .declareAgain)
        #expect(repairs.action(after: error(.publishReturned, 312)) == nil)
        repairs = Repairs()
        #expect(repairs.action(after: error(.channelClosed, 403)) == nil)
        repairs = Repairs()
        #expect(repairs.action(after: error(.timedOut, nil, .notSent)) == .sendAgain(after: .zero))
        #expect(repairs.action(after: error(.timedOut, nil, .unknown)) == nil)
        #expect(repairs.action(after: error(.connectionLost)) == nil)
    }

    @Test("what a full queue refuses is sent again after a growing pause, one at a time until it takes many in a row")
    func refused() {
        let refusal = AMQPError(.publishRefused, scope: .message, "", delivery: .refused)
        var repairs = Repairs()
        let actions = (0..<8).map { _ in repairs.action(after: refusal) }
        #expect(
            actions
                == [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map { .sendAgain(after: .milliseconds($0)) }
        )
        #expect(repairs.window == 1 && repairs.isRefused)
        repairs.confirmed()
        #expect(repairs.action(after: refusal) == .sendAgain(after: .milliseconds(100)))
        for _ in 1..<PublishingSession.usualWindow { repairs.confirmed() }
        #expect(repairs.window == 1 && repairs.isRefused)
        repairs.confirmed()
        #expect(repairs.window == PublishingSession.usualWindow && !repairs.isRefused)
    }

    @Test("of a thousand lines of one kind in a minute ten are written; the next minute says how many were not")
    func throttle() {
        var throttle = LogThrottle()
        let start = SuspendingClock.now
        let admitted = (0..<1_000).compactMap { throttle.admit(now: start.advanced(by: .milliseconds($0))) }
        #expect(admitted == [String](repeating: "", count: 10))
        #expect(
            throttle.admit(now: start.advanced(by: .seconds(60))) == " (left out before this: 990 lines of its kind)"
        )
        #expect(throttle.admit(now: start.advanced(by: .seconds(60))) == "")
    }
}
#endif
