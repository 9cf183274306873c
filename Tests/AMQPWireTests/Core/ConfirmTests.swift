import Testing

@testable import AMQPWire

@Suite("Confirms")
struct ConfirmTests {
    private func ack(_ rig: CoreRig, _ tag: UInt64, multiple: Bool = false) {
        rig.receive(.basicAck, 1, [.number(tag), multiple ? 1 : 0])
    }

    private func nack(_ rig: CoreRig, _ tag: UInt64, multiple: Bool = false) {
        rig.receive(.basicNack, 1, [.number(tag), multiple ? 1 : 0])
    }

    @Test("count publishes from 1, where confirm.select leaves")
    func counting() throws {
        let rig = try CoreRig.withChannel()
        #expect(try rig.publish() == nil)
        try rig.core.selectConfirms(1)
        try rig.core.selectConfirms(1)
        rig.settle()
        #expect(try rig.publish() == 1)
        #expect(try rig.publish() == 2)
        let sent = rig.takeSent()
        #expect(sent.count { $0.method == .confirmSelect } == 1)
        #expect(sent.first { $0.method == .confirmSelect }?.values == [1])
        rig.finish()
    }

    @Test("are on after a confirm.select with an answer, too, from the moment when it leaves")
    func selectWithAnswer() throws {
        let rig = try CoreRig.withChannel()
        _ = try rig.call(.queueDeclare(.init()))
        let select = try rig.call(.confirmSelect(.init()))
        #expect(try rig.publish() == nil, "goes before confirm.select")
        rig.receive(.queueDeclareOk, 1)
        #expect(try rig.publish() == 1)
        rig.receive(.confirmSelectOk, 1)
        #expect(rig.reply(select)?.id == .confirmSelectOk)
        ack(rig, 1)
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("may come one by one and out of order")
    func outOfOrder() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiters = try (0..<4).map { _ in try rig.publishConfirmed() }
        for tag in [3, 1, 4, 2] as [UInt64] {
            ack(rig, tag)
            #expect(rig.isDone(waiters[Int(tag) - 1]))
        }
        #expect(waiters.allSatisfy(rig.isDone))
        #expect(rig.statistics.publishesConfirmed == 4)
        rig.finish()
    }

    @Test("of several at once reach all up to the tag; with tag 0 all there are")
    func multiple() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiters = try (0..<5).map { _ in try rig.publishConfirmed() }
        ack(rig, 2)
        ack(rig, 3, multiple: true)
        #expect(waiters.map(rig.isDone) == [true, true, true, false, false])
        ack(rig, 0, multiple: true)
        #expect(waiters.allSatisfy(rig.isDone))
        ack(rig, 0, multiple: true)
        ack(rig, 3)
        #expect(rig.end == nil, "what is confirmed already may be confirmed again")
        #expect(rig.statistics.publishesConfirmed == 5)
        rig.finish()
    }

    @Test(
        "of what was never sent end the connection",
        arguments: [(3, false), (3, true), (0, false), (.max, true)] as [(UInt64, Bool)]
    )
    func unknownTag(tag: UInt64, multiple: Bool) throws {
        let rig = try CoreRig.withChannel(confirms: true)
        try rig.publish()
        try rig.publish()
        _ = rig.takeSent()
        ack(rig, tag, multiple: multiple)
        #expect(rig.end?.code == .unexpectedFrame)
        #expect(rig.takeSent().first?.values[0] == 503)
        rig.finish()
    }

    @Test("without confirm mode end the connection")
    func withoutMode() throws {
        let rig = try CoreRig.withChannel()
        try rig.publish()
        ack(rig, 1)
        #expect(rig.end?.code == .unexpectedFrame)
        rig.finish()
    }

    @Test("that come before anybody waits are there when somebody does")
    func early() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        for _ in 0..<3 { try rig.publish() }
        ack(rig, 2)
        #expect(try rig.waitForConfirm(2) == nil)
        ack(rig, 1)
        #expect(try rig.waitForConfirm(1) == nil)
        nack(rig, 3)
        let error = #expect(throws: AMQPError.self) { try rig.waitForConfirm(3) }
        #expect(error?.code == .publishRefused)
        rig.finish()
    }

    @Test("that refuse fail who waits, for this message and for good")
    func refused() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiters = try (0..<3).map { _ in try rig.publishConfirmed() }
        nack(rig, 2, multiple: true)
        ack(rig, 3)
        #expect(rig.failure(waiters[0])?.code == .publishRefused)
        #expect(rig.failure(waiters[1])?.delivery == .refused)
        #expect(rig.failure(waiters[1])?.scope == .message)
        #expect(rig.isDone(waiters[2]))
        #expect(rig.statistics.publishesRefused == 2)
        rig.finish()
    }

    @Test("say the same to everyone who asks, however often")
    func asking() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let first = try rig.publishConfirmed()
        let second = try #require(try rig.waitForConfirm(1))
        let third = try #require(try rig.waitForConfirm(1))
        rig.giveUp(third)
        rig.giveUp(first)
        nack(rig, 1)
        #expect(rig.failure(second)?.code == .publishRefused)
        for _ in 0..<2 {
            let again = #expect(throws: AMQPError.self) { try rig.waitForConfirm(1) }
            #expect(again?.code == .publishRefused)
        }
        rig.finish()
    }

    @Test("not waited for any more leave a message whose fate is unknown")
    func givenUp() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiter = try rig.publishConfirmed()
        rig.giveUp(waiter)
        #expect(rig.failure(waiter)?.delivery == .unknown)
        ack(rig, 1)
        #expect(try rig.waitForConfirm(1) == nil)
        rig.finish()
    }

    @Test("of a connection that is lost are unknown")
    func lost() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiter = try rig.publishConfirmed()
        rig.core.transportEnded(AMQPError(.connectionLost, "reset"))
        rig.settle()
        #expect(rig.failure(waiter)?.code == .connectionLost)
        #expect(rig.failure(waiter)?.delivery == .unknown)
        rig.finish()
    }

    @Test("of all so far are waited for together, apart from later ones")
    func all() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        #expect(try rig.waitForConfirms() == nil)
        for _ in 0..<3 { try rig.publish() }
        let all = try #require(try rig.waitForConfirms())
        try rig.publish()
        ack(rig, 3)
        ack(rig, 1)
        #expect(!rig.isAnswered(all))
        ack(rig, 2)
        #expect(rig.isDone(all))
        ack(rig, 4)
        #expect(try rig.waitForConfirms() == nil)
        rig.finish()
    }

    @Test("of all so far fail with the first that nobody waited for, once")
    func allWithFailure() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waited = try rig.publishConfirmed()
        nack(rig, 1)
        #expect(rig.failure(waited) != nil)
        #expect(try rig.waitForConfirms() == nil, "that failure is told already")
        try rig.publish()
        nack(rig, 2)
        #expect(throws: AMQPError.self) { try rig.waitForConfirms() }
        #expect(try rig.waitForConfirms() == nil)
        try rig.publish()
        let all = try #require(try rig.waitForConfirms())
        let given = try #require(try rig.waitForConfirms())
        rig.giveUp(given)
        nack(rig, 3)
        #expect(rig.failure(all)?.code == .publishRefused)
        rig.finish()
    }

    @Test("remember 10,000 failures, and say of older publishes that they do not know")
    func bounded() throws {
        var ledger = ConfirmLedger()
        let count = UInt64(ConfirmLedger.maxFailures) + 5
        for _ in 0...count { _ = ledger.published() }
        #expect(ledger.settled(count, multiple: true, refused: true) { _, _ in })
        #expect(ledger.settled(count + 1, multiple: false, refused: false) { _, _ in })
        var table = WaiterTable()
        let waiter = table.add(.pause, deadline: nil)
        #expect(ledger.wait(for: 5, waiter) == .forgotten)
        #expect(ledger.wait(for: 6, waiter) == .refused)
        #expect(ledger.wait(for: count, waiter) == .refused)
        #expect(ledger.wait(for: count + 1, waiter) == .confirmed)
        #expect(AMQPError(.forgotten)?.delivery == .unknown)
    }

    @Test("agree with a plain list of publishes in a storm of acks and nacks")
    func model() {
        var random = SplitMix64(seed: 7)
        var ledger = ConfirmLedger()
        var states: [Bool?] = []
        var table = WaiterTable()
        var waiting: [WaiterID: Int] = [:]
        for _ in 0..<5_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let tag = ledger.published()
                states.append(nil)
                #expect(tag == UInt64(states.count))
                if Bool.random(using: &random) {
                    let waiter = table.add(.pause, deadline: nil)
                    #expect(ledger.wait(for: tag, waiter) == nil)
                    waiting[waiter] = states.count - 1
                }
            case 2 where !states.isEmpty:
                let refused = Int.random(in: 0..<5, using: &random) == 0
                let multiple = Int.random(in: 0..<4, using: &random) == 0
                let tag = UInt64(Int.random(in: max(1, states.count - 8)...states.count, using: &random))
                for index in (multiple ? 0 : Int(tag) - 1)..<Int(tag) where states[index] == nil {
                    states[index] = !refused
                }
                let isKnown = ledger.settled(tag, multiple: multiple, refused: refused) { waiter, outcome in
                    let state = waiting.removeValue(forKey: waiter).flatMap { states[$0] }
                    #expect(state == (outcome == .confirmed))
                }
                #expect(isKnown)
            default:
                guard !states.isEmpty else { continue }
                let index = Int.random(in: 0..<states.count, using: &random)
                guard let state = states[index] else { continue }
                let outcome = ledger.wait(for: UInt64(index + 1), table.add(.pause, deadline: nil))
                #expect(outcome == (state ? .confirmed : .refused))
            }
            #expect(ledger.outstanding == states.count { $0 == nil })
            #expect(waiting.values.allSatisfy { states[$0] == nil })
        }
    }
}

@Suite("Returned messages")
struct ReturnTests {
    private func giveBack(_ rig: CoreRig, _ body: [UInt8], key: String = "k", properties: [UInt8] = [0, 0]) {
        rig.receive(
            PeerCodec.content(
                .basicReturn,
                1,
                [312, "NO_ROUTE", "x", .octets(Array(key.utf8))],
                body,
                properties: properties
            )
        )
    }

    private func returned(_ rig: CoreRig, _ waiter: WaiterID) -> Bool {
        rig.failure(waiter)?.code == .publishReturned
    }

    @Test("fail their publish when it is confirmed, with the broker's reason")
    func matching() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let one = try rig.publishConfirmed([1], mandatory: true)
        let two = try rig.publishConfirmed([2], mandatory: true)
        let three = try rig.publishConfirmed([3], mandatory: true)
        giveBack(rig, [2])
        #expect(!rig.isAnswered(two))
        rig.receive(.basicAck, 1, [3, 1])
        #expect(rig.isDone(one) && rig.isDone(three))
        let error = try #require(rig.failure(two))
        #expect(error.code == .publishReturned && error.replyCode == 312 && error.delivery == .refused)
        #expect(error.message.contains("'x'") && error.message.contains("'k'"))
        #expect(rig.takeEvents().isEmpty)
        #expect(rig.statistics.publishesReturned == 1)
        rig.finish()
    }

    @Test("that are identical go to their publishes one by one")
    func identical() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiters = try (0..<3).map { _ in try rig.publishConfirmed([7], mandatory: true) }
        giveBack(rig, [7])
        giveBack(rig, [7])
        rig.receive(.basicAck, 1, [3, 1])
        #expect(waiters.map { returned(rig, $0) } == [true, true, false])
        rig.finish()
    }

    @Test("whose properties the broker rewrote go to the oldest publish by the same route")
    func rewritten() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        try rig.publish([1], key: "other", mandatory: true)
        let other = try #require(try rig.waitForConfirm(1))
        let one = try rig.publishConfirmed([1], mandatory: true)
        let two = try rig.publishConfirmed([2], mandatory: true)
        giveBack(rig, [1], properties: [0x10, 0, 2])
        rig.receive(.basicAck, 1, [3, 1])
        #expect(!returned(rig, other) && returned(rig, one) && !returned(rig, two))
        rig.finish()
    }

    @Test("are looked for among mandatory publishes only, and told as an event where none is like them")
    func mandatoryOnly() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let plain = try rig.publishConfirmed([1])
        giveBack(rig, [1])
        giveBack(rig, [1], key: "elsewhere")
        let events = rig.takeEvents()
        #expect(events.count == 2)
        guard case .returned(channel: 1, let message)? = events.last else { return }
        #expect(message.routingKey == "elsewhere" && message.replyCode == 312 && message.message.body == [1])
        rig.receive(.basicAck, 1, [1, 0])
        #expect(rig.isDone(plain))
        rig.finish()
    }

    @Test("without confirms are events")
    func withoutConfirms() throws {
        let rig = try CoreRig.withChannel()
        try rig.publish([1], mandatory: true)
        giveBack(rig, [1])
        #expect(rig.takeEvents().count == 1)
        rig.finish()
    }

    @Test("with an empty body match, too")
    func empty() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let waiter = try rig.publishConfirmed([], mandatory: true)
        giveBack(rig, [])
        rig.receive(.basicAck, 1, [1, 0])
        #expect(returned(rig, waiter))
        rig.finish()
    }

    @Test("of a prepared publish match by all that was prepared")
    func prepared() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let publish = AMQPMethod.BasicPublish(exchange: "x", routingKey: "k", mandatory: true)
        let frames = try PreparedFrames(publish, properties: AMQPProperties(deliveryMode: 2))
        let body: [UInt8] = [4, 5]
        let tags = try (0..<2).map { _ in
            try body.withUnsafeBytes { try rig.core.publish(frames, body: $0, on: rig.core.usableChannel(1)) }
        }
        #expect(tags == [1, 2])
        rig.settle()
        let waiter = try #require(try rig.waitForConfirm(1))
        giveBack(rig, [4, 5], properties: [0x10, 0, 2])
        rig.receive(.basicAck, 1, [2, 1])
        #expect(returned(rig, waiter))
        rig.finish()
    }
}
