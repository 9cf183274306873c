#if Agent
import Testing

@testable import PsistatsAgent

@Suite("Outbox") struct OutboxTests {
    private func report(_ number: Int) -> OutgoingReport {
        OutgoingReport(id: "\(number)", type: "report", measuredAt: 0, body: [])
    }

    private func ids(_ outbox: Outbox) -> [String] {
        var ids: [String] = []
        var next: UInt64 = 0
        while let (number, report) = outbox.report(from: next) {
            ids.append(report.id)
            next = number + 1
        }
        return ids
    }

    private func confirmAll(_ outbox: Outbox) {
        while let (number, _) = outbox.report(from: 0) { outbox.confirmed(number) }
    }

    @Test("a message that is confirmed out of turn goes, and the others keep their order")
    func outOfTurn() {
        let outbox = Outbox(limit: 4)
        for number in 0..<4 { outbox.append(report(number)) }
        for number in [1, 3, 3, 9] { outbox.confirmed(UInt64(number)) }
        #expect(ids(outbox) == ["0", "2"])
        #expect(outbox.count == 2)
        // What is missing takes no room.
        for number in 4..<6 { #expect(!outbox.append(report(number))) }
        #expect(ids(outbox) == ["0", "2", "4", "5"])
        #expect(outbox.append(report(6)))
        #expect(ids(outbox) == ["2", "4", "5", "6"])
        outbox.confirmed(2)
        #expect(outbox.firstNumber == 4)
    }

    @Test("messages come out in the order in which they went in, and stay until they are confirmed")
    func order() {
        let outbox = Outbox(limit: 10)
        for number in 0..<5 { #expect(!outbox.append(report(number))) }
        #expect(ids(outbox) == ["0", "1", "2", "3", "4"])
        #expect(ids(outbox).count == 5)
        for number in 0..<3 { outbox.confirmed(UInt64(number)) }
        #expect(ids(outbox) == ["3", "4"])
        #expect(outbox.count == 2)
        #expect(outbox.dropped == 0)
    }

    @Test("above the limit the oldest go and are counted; the numbers of the others stay")
    func limit() {
        let outbox = Outbox(limit: 3)
        for number in 0..<5 { outbox.append(report(number)) }
        #expect(ids(outbox) == ["2", "3", "4"])
        #expect(outbox.dropped == 2)
        #expect(outbox.firstNumber == 2)
        // Confirmed after it was dropped: nothing to remove.
        for number in 0..<2 { outbox.confirmed(UInt64(number)) }
        #expect(ids(outbox) == ["2", "3", "4"])
        for number in 2..<4 { outbox.confirmed(UInt64(number)) }
        #expect(ids(outbox) == ["4"])
    }

    @Test("the first drop since the broker took messages is told, and how many there were in the end")
    func episodes() {
        let outbox = Outbox(limit: 2)
        for _ in 0..<2 {
            #expect((0..<5).map { outbox.append(report($0)) } == [false, false, true, false, false])
            #expect(outbox.endEpisode() == 3)
            #expect(outbox.endEpisode() == 0)
            confirmAll(outbox)
        }
        #expect(outbox.dropped == 6)
    }

    @Test("a lower limit drops the oldest at once")
    func lowerLimit() {
        let outbox = Outbox(limit: 10)
        for number in 0..<10 { outbox.append(report(number)) }
        outbox.setLimit(4)
        #expect(ids(outbox) == ["6", "7", "8", "9"])
        #expect(outbox.dropped == 6)
    }

    @Test("giving up a message takes that one alone, and nothing where it is not kept")
    func givingUp() {
        let outbox = Outbox(limit: 10)
        for number in 0..<3 { outbox.append(report(number)) }
        outbox.drop(1)
        #expect(ids(outbox) == ["0", "2"])
        #expect(outbox.dropped == 1)
        outbox.drop(1)
        confirmAll(outbox)
        outbox.drop(2)
        #expect(outbox.count == 0 && outbox.dropped == 1)
    }

    @Test("what went in and out leaves nothing behind")
    func steadyState() {
        let outbox = Outbox(limit: 1_000)
        var expected: [String] = []
        var random = SplitMix64(seed: 3)
        for number in 0..<20_000 {
            outbox.append(report(number))
            expected.append("\(number)")
            if expected.count > 1_000 { expected.removeFirst() }
            if Int.random(in: 0..<3, using: &random) == 0 {
                let count = Int.random(in: 1...4, using: &random)
                let first = outbox.firstNumber
                for number in first..<(first + UInt64(count)) { outbox.confirmed(number) }
                expected.removeFirst(min(count, expected.count))
            }
            if number % 1_000 == 0 {
                let isRight = ids(outbox) == expected
                #expect(isRight)
            }
        }
        let isRight = ids(outbox) == expected
        #expect(isRight)
    }

    @Test("a ring that nobody waits for ends the next wait; a wait ends with its task, and after its time")
    func wakeup() async throws {
        try TaskThread.shared.start()
        let wakeup = Wakeup()
        wakeup.ring()
        wakeup.ring()
        await wakeup.wait()
        await wakeup.wait(atMost: .milliseconds(1), timer: .shared)
        let task = Task { await wakeup.wait() }
        task.cancel()
        await task.value
        let other = Task { await wakeup.wait(atMost: .seconds(3_600), timer: .shared) }
        wakeup.ring()
        await other.value
    }
}
#endif
