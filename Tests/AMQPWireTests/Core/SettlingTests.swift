import Testing

@testable import AMQPWire

/// What is sent to settle deliveries: only tags that the broker knows and that are not settled yet.
@Suite("Settling")
struct SettlingTests {
    /// A rig whose channel has taken deliveries 1 to `count` of an acknowledging consumer.
    private func rig(_ count: UInt64) throws -> CoreRig {
        let rig = try CoreRig.withChannel()
        for tag in 0..<count { deliver(tag + 1, rig) }
        return rig
    }

    private func deliver(_ tag: UInt64, to consumer: String = "c", _ rig: CoreRig) {
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["\(consumer)", .number(tag)], [1]))
    }

    /// What was sent, with tag and bits.
    private func sent(_ rig: CoreRig) -> [String] {
        rig.takeSent().map { frame in
            let numbers = frame.values.map { "\($0.number)" }.joined(separator: " ")
            return "\(frame.method?.name ?? "content") \(numbers)"
        }
    }

    private func settleAll(_ rig: CoreRig, upTo tag: UInt64 = .max) throws -> UInt64? {
        defer { rig.settle() }
        return try rig.core.settleAll(upTo: tag, .acknowledged, channel: 1)
    }

    private func settle(_ tag: UInt64, _ rig: CoreRig, _ settlement: Settlement = .acknowledged) throws -> Bool {
        defer { rig.settle() }
        return try rig.core.settle(tag, settlement, channel: 1)
    }

    @Test("all at once names the newest that is unsettled, and sends nothing where there is none")
    func all() throws {
        let rig = try rig(3)
        #expect(try settle(3, rig))
        #expect(try settleAll(rig) == 2)
        #expect(try settleAll(rig) == nil)
        #expect(sent(rig) == ["basic.ack 3 0", "basic.ack 2 1"])
        rig.finish()
    }

    @Test("a second time, and after a multiple that covered it, sends nothing")
    func twice() throws {
        let rig = try rig(4)
        #expect(try settle(2, rig))
        #expect(try !settle(2, rig))
        #expect(try settleAll(rig, upTo: 2) == 1)
        #expect(try !settle(1, rig, .refused(requeue: true)))
        #expect(try settle(3, rig, .rejected(requeue: false)))
        #expect(try !settle(9, rig))
        #expect(try !settle(0, rig))
        #expect(sent(rig) == ["basic.ack 2 0", "basic.ack 1 1", "basic.reject 3 0"])
        rig.finish()
    }

    @Test("does not touch what came without acknowledgements")
    func ackless() throws {
        let rig = try CoreRig.withChannel()
        let starting = try rig.call(.basicConsume(.init(queue: "q", consumerTag: "n", noAck: true)))
        rig.receive(.basicConsumeOk, 1, ["n"])
        #expect(rig.reply(starting)?.id == .basicConsumeOk)
        deliver(1, rig)
        deliver(2, to: "n", rig)
        _ = rig.takeSent()
        #expect(try settleAll(rig) == 1)
        #expect(try !settle(2, rig))
        let get = try rig.call(.basicGet(.init(queue: "q", noAck: true)))
        rig.receive(PeerCodec.content(.basicGetOk, 1, [3, 0, "x", "k", 0], [1]))
        #expect(rig.isAnswered(get))
        #expect(try settleAll(rig) == nil)
        rig.finish()
    }

    @Test("a consumer without acknowledgements whose start is given up is cancelled, and forgotten with the answer")
    func givenUp() throws {
        let rig = try CoreRig.withChannel()
        let starting = try rig.call(.basicConsume(.init(queue: "q", consumerTag: "n", noAck: true)))
        rig.giveUp(starting)
        rig.receive(.basicConsumeOk, 1, ["n"])
        #expect(rig.takeSent().map(\.method) == [.basicConsume, .basicCancel])
        deliver(1, to: "n", rig)
        #expect(try settleAll(rig) == nil)
        let channel = try rig.core.usableChannel(1)
        #expect(channel.ackless == ["n"])
        rig.receive(.basicCancelOk, 1, ["n"])
        #expect(channel.ackless.isEmpty)
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("a cancel is answered by the cancel-ok of its own consumer, not by one that was not asked for")
    func strayCancelOk() throws {
        let rig = try CoreRig.withChannel()
        try rig.send(.basicCancel(.init(consumerTag: "gone", noWait: true)))
        let cancelling = try rig.call(.basicCancel(.init(consumerTag: "c")))
        rig.receive(.basicCancelOk, 1, ["gone"])
        #expect(!rig.isAnswered(cancelling))
        rig.receive(.basicCancelOk, 1, ["c"])
        #expect(rig.reply(cancelling)?.id == .basicCancelOk)
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("a get that was given up is put back, and is not to be settled again")
    func givenUpGet() throws {
        let rig = try CoreRig.withChannel()
        rig.giveUp(try rig.call(.basicGet(.init(queue: "q"))))
        rig.receive(PeerCodec.content(.basicGetOk, 1, [1, 0, "x", "k", 0], [1]))
        #expect(try settleAll(rig) == nil)
        #expect(sent(rig).last == "basic.reject 1 1")
        rig.finish()
    }

    @Test("after recover there is nothing left but what came after its answer")
    func recover() throws {
        let rig = try rig(2)
        _ = try rig.call(.basicRecover(.init(requeue: true)))
        deliver(3, rig)
        rig.receive(PeerCodec.method(.basicRecoverOk, 1) + PeerCodec.content(.basicDeliver, 1, ["c", 4], [1]))
        #expect(try !settle(3, rig))
        #expect(try settleAll(rig) == 4)
        rig.finish()
    }

    @Test("counts in a transaction once it is committed, and not after a rollback")
    func transactions() throws {
        let rig = try rig(2)
        _ = try rig.call(.txSelect(.init()))
        rig.receive(.txSelectOk, 1)
        #expect(try settleAll(rig) == 2)
        #expect(try !settle(1, rig))
        _ = try rig.call(.txRollback(.init()))
        rig.receive(.txRollbackOk, 1)
        #expect(try settleAll(rig) == 2)
        _ = try rig.call(.txCommit(.init()))
        rig.receive(.txCommitOk, 1)
        _ = try rig.call(.txRollback(.init()))
        #expect(try settleAll(rig) == nil)
        rig.finish()
    }
}
