import Testing

@testable import AMQPWire

@Suite("Calls on a channel")
struct CoreCallTests {
    private let declare = AMQPMethod.queueDeclare(.init(queue: "q"))

    @Test("get the reply that answers them", arguments: ReactionTableTests.requests)
    func replies(request: AMQPMethod) throws {
        let rig = try CoreRig.withChannel()
        let call = try rig.call(request)
        #expect(rig.takeSent().map(\.method) == [request.id])
        let reply = try #require(request.id.traits.replies.last)
        rig.receive(reply, 1)
        #expect(rig.reply(call)?.id == reply)
        rig.finish()
    }

    @Test("leave one at a time, in their order")
    func oneInFlight() throws {
        let rig = try CoreRig.withChannel()
        let first = try rig.call(declare)
        let second = try rig.call(.queuePurge(.init(queue: "q")))
        let third = try rig.call(.basicQos(.init()))
        #expect(rig.takeSent().map(\.method) == [.queueDeclare])
        rig.receive(.queueDeclareOk, 1, ["q", 3, 1])
        #expect(rig.reply(first) == .queueDeclareOk(.init(queue: "q", messageCount: 3, consumerCount: 1)))
        #expect(!rig.isAnswered(second))
        #expect(rig.takeSent().map(\.method) == [.queuePurge])
        rig.receive(.queuePurgeOk, 1, [3])
        #expect(rig.takeSent().map(\.method) == [.basicQos])
        rig.receive(.basicQosOk, 1)
        #expect(rig.isAnswered(second) && rig.isAnswered(third))
        rig.finish()
    }

    @Test("of different channels do not wait for one another")
    func channels() throws {
        let rig = try CoreRig.withChannel()
        #expect(try rig.openChannel() == 2)
        _ = rig.takeSent()
        let one = try rig.call(declare, 1)
        let two = try rig.call(declare, 2)
        #expect(rig.takeSent().map(\.channel) == [1, 2])
        rig.receive(.queueDeclareOk, 2)
        #expect(!rig.isAnswered(one) && rig.isAnswered(two))
        rig.finish()
    }

    @Test("are in the order made even before the channel is open")
    func beforeOpenOk() throws {
        let rig = CoreRig()
        rig.open()
        _ = rig.takeSent()
        let (number, opening) = try rig.core.openChannel(confirmWindow: 1, deadline: nil)
        _ = rig.watch(opening)
        _ = try rig.call(declare, number)
        #expect(rig.takeSent().map(\.method) == [.channelOpen])
        rig.receive(.channelOpenOk, number)
        #expect(rig.takeSent().map(\.method) == [.queueDeclare])
        rig.finish()
    }

    @Test("fail at their deadline, and the late reply is not taken for the next call's")
    func deadline() throws {
        let rig = try CoreRig.withChannel()
        let first = try rig.call(declare, within: .seconds(5))
        let second = try rig.call(declare, within: .seconds(20))
        rig.pass(.seconds(5))
        #expect(rig.failure(first)?.code == .timedOut)
        #expect(rig.failure(first)?.message.contains("queue.declare") == true)
        _ = rig.takeSent()
        rig.receive(.queueDeclareOk, 1, ["late", 0, 0])
        #expect(!rig.isAnswered(second))
        #expect(rig.takeSent().map(\.method) == [.queueDeclare])
        rig.receive(.queueDeclareOk, 1, ["mine", 0, 0])
        #expect(rig.reply(second) == .queueDeclareOk(.init(queue: "mine")))
        rig.finish()
    }

    @Test("given up in the queue are not sent")
    func givenUpInQueue() throws {
        let rig = try CoreRig.withChannel()
        _ = try rig.call(declare)
        let second = try rig.call(.queuePurge(.init()))
        let third = try rig.call(.basicQos(.init()))
        rig.giveUp(second)
        #expect(rig.failure(second)?.code == .cancelled)
        _ = rig.takeSent()
        rig.receive(.queueDeclareOk, 1)
        #expect(rig.takeSent().map(\.method) == [.basicQos])
        rig.receive(.basicQosOk, 1)
        #expect(rig.isAnswered(third))
        rig.finish()
    }

    @Test("that cannot be written fail, and the next goes out")
    func unsendable() throws {
        let rig = try CoreRig.withChannel()
        let long = AMQPText(String(repeating: "n", count: 256))
        let first = try rig.call(.queueDeclare(.init(queue: long)))
        #expect(rig.failure(first)?.code == .invalidArgument)
        #expect(rig.failure(first)?.delivery == .notSent)
        _ = try rig.call(declare)
        #expect(rig.takeSent().map(\.method) == [.queueDeclare])
        rig.finish()
    }

    @Test("of the connection itself fail with it")
    func updateSecret() throws {
        let rig = try CoreRig.withChannel()
        let first = try rig.call(.connectionUpdateSecret(.init(newSecret: AMQPSecret("token"))), 0)
        rig.receive(.connectionUpdateSecretOk)
        #expect(rig.reply(first)?.id == .connectionUpdateSecretOk)
        let second = try rig.call(.connectionUpdateSecret(.init()), 0)
        rig.receive(.connectionClose, 0, [541, "INTERNAL_ERROR"])
        #expect(rig.failure(second)?.replyCode == 541)
        rig.finish()
    }

    @Test("queued behind another are not sent once connection.close is")
    func nothingBehindClose() throws {
        let rig = try CoreRig.withChannel()
        _ = try rig.call(.connectionUpdateSecret(.init()), 0)
        _ = try rig.call(.connectionUpdateSecret(.init()), 0)
        _ = try rig.close()
        rig.receive(.connectionUpdateSecretOk)
        #expect(rig.takeSent().last?.method == .connectionClose)
        rig.receive(.connectionCloseOk)
        rig.finish()
    }
}

@Suite("A call that its caller gave up")
struct AbandonedCallTests {
    @Test("of basic.get gives the message back to its queue")
    func get() throws {
        let rig = try CoreRig.withChannel()
        let get = try rig.call(.basicGet(.init(queue: "q")))
        rig.giveUp(get)
        _ = rig.takeSent()
        rig.receive(PeerCodec.content(.basicGetOk, 1, [7, 0, "x", "k", 0], [1, 2, 3]))
        let sent = rig.takeSent()
        #expect(sent.map(\.method) == [.basicReject])
        #expect(sent.first?.values == [7, 1])
        #expect(rig.takeEvents().isEmpty)
        rig.finish()
    }

    @Test("of basic.get without acknowledgement has nothing to give back, nor has one of an empty queue")
    func getWithoutAck() throws {
        let rig = try CoreRig.withChannel()
        rig.giveUp(try rig.call(.basicGet(.init(queue: "q", noAck: true))))
        _ = rig.takeSent()
        rig.receive(PeerCodec.content(.basicGetOk, 1, [7], []))
        #expect(rig.takeSent().isEmpty)
        rig.giveUp(try rig.call(.basicGet(.init(queue: "q"))))
        _ = rig.takeSent()
        rig.receive(.basicGetEmpty, 1)
        #expect(rig.takeSent().isEmpty)
        rig.finish()
    }

    @Test("of basic.consume ends the consumer that nobody reads")
    func consume() throws {
        let rig = try CoreRig.withChannel()
        rig.giveUp(try rig.call(.basicConsume(.init(queue: "q"))))
        _ = rig.takeSent()
        rig.receive(.basicConsumeOk, 1, ["ctag"])
        let sent = rig.takeSent()
        #expect(sent.map(\.method) == [.basicCancel])
        #expect(sent.first?.values == ["ctag", 1])
        rig.finish()
    }

    @Test("of channel.open closes the channel, whose number is free again")
    func open() throws {
        let rig = CoreRig()
        rig.open()
        let (number, opening) = try rig.core.openChannel(confirmWindow: 1, deadline: rig.now.advanced(by: .seconds(1)))
        _ = rig.watch(opening)
        rig.pass(.seconds(1))
        #expect(rig.failure(opening)?.code == .timedOut)
        _ = rig.takeSent()
        rig.receive(.channelOpenOk, number)
        #expect(rig.takeSent().map(\.method) == [.channelClose])
        rig.receive(.channelCloseOk, number)
        #expect(try rig.openChannel() == number)
        rig.finish()
    }

    @Test("of channel.close, still in the queue, closes the channel all the same")
    func close() throws {
        let rig = try CoreRig.withChannel()
        _ = try rig.call(.queueDeclare(.init()))
        let closing = try rig.closeChannel(within: .seconds(1))
        rig.pass(.seconds(1))
        #expect(rig.failure(closing)?.code == .timedOut)
        _ = rig.takeSent()
        rig.receive(.queueDeclareOk, 1)
        #expect(rig.takeSent().map(\.method) == [.channelClose])
        rig.receive(.channelCloseOk, 1)
        #expect(try rig.openChannel() == 1)
        rig.finish()
    }
}

@Suite("The close of a channel")
struct ChannelCloseTests {
    @Test("by the broker is answered, and fails all who wait there with its reason")
    func byBroker() throws {
        let rig = try CoreRig.withChannel(window: 1, confirms: true)
        _ = try rig.openChannel()
        let elsewhere = try rig.call(.queueDeclare(.init()), 2)
        let inFlight = try rig.call(.queueDeclare(.init(queue: "q")))
        let queued = try rig.call(.basicQos(.init()))
        let confirm = try rig.publishConfirmed()
        let room = try rig.waitForRoom()
        let all = try #require(try rig.waitForConfirms())
        _ = rig.takeSent()
        rig.receive(.channelClose, 1, [404, "NOT_FOUND - no queue 'q'", 50, 10])
        #expect(rig.takeSent().map(\.description) == ["1 channel.close-ok"])
        for waiter in [inFlight, queued, confirm, room, all] {
            let error = try #require(rig.failure(waiter))
            #expect(error.code == .channelClosed)
            #expect(error.scope == .channel)
            #expect(error.replyCode == 404)
            #expect(error.replyText == "NOT_FOUND - no queue 'q'")
            #expect(error.method == .queueDeclare)
        }
        #expect(rig.failure(confirm)?.delivery == .unknown)
        #expect(rig.failure(all)?.delivery == .unknown)
        #expect(rig.failure(room)?.delivery == .notSent)
        #expect(!rig.isAnswered(elsewhere))
        guard case .channelClosed(1, let error)? = rig.takeEvents().last else {
            Issue.record("the close is not told")
            return
        }
        #expect(error.replyCode == 404)
        #expect(throws: AMQPError.self) { try rig.publish() }
        rig.finish()
    }

    @Test("frees its number at once")
    func numberIsFree() throws {
        let rig = CoreRig()
        rig.open(channelMax: 3)
        try rig.openChannel()
        try rig.openChannel()
        rig.receive(.channelClose, 1, [404, "gone"])
        // Others first: the broker may go on sending on the old one.
        #expect(try rig.openChannel() == 3)
        #expect(try rig.openChannel() == 1)
        rig.finish()
    }

    @Test("by us is told when the broker answers")
    func byUs() throws {
        let rig = try CoreRig.withChannel()
        let closing = try rig.closeChannel()
        #expect(rig.takeSent().first?.values == [200, "Goodbye", 0, 0])
        #expect(!rig.isAnswered(closing))
        #expect(throws: AMQPError.self) { try rig.call(.queueDeclare(.init())) }
        rig.receive(.channelCloseOk, 1)
        #expect(rig.isDone(closing))
        #expect(rig.takeEvents().isEmpty)
        rig.finish()
    }

    @Test("by us waits for the calls before it, and ends those behind it")
    func inTurn() throws {
        let rig = try CoreRig.withChannel()
        let before = try rig.call(.queueDeclare(.init()))
        let closing = try rig.closeChannel()
        let behind = try rig.call(.basicQos(.init()))
        let again = try rig.closeChannel()
        #expect(rig.takeSent().map(\.method) == [.queueDeclare])
        rig.receive(.queueDeclareOk, 1)
        #expect(rig.isAnswered(before))
        rig.receive(.channelCloseOk, 1)
        #expect(rig.isDone(closing) && rig.isDone(again))
        #expect(rig.failure(behind)?.code == .closed)
        rig.finish()
    }

    @Test("by the broker is as good for the caller of ours, if it waits its turn")
    func byBrokerWhileOursIsQueued() throws {
        let rig = try CoreRig.withChannel()
        let call = try rig.call(.queueDeclare(.init()))
        let closing = try rig.closeChannel()
        rig.receive(.channelClose, 1, [406, "PRECONDITION_FAILED", 50, 10])
        #expect(rig.failure(call)?.replyCode == 406)
        #expect(rig.isDone(closing))
        #expect(rig.takeSent().map(\.method) == [.queueDeclare, .channelCloseOk])
        rig.finish()
    }

    @Test("crossing ours is answered; ours ends with its close-ok; who waits hears the broker's reason")
    func crossing() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let confirm = try rig.publishConfirmed()
        let closing = try rig.closeChannel()
        _ = rig.takeSent()
        rig.receive(.channelClose, 1, [404, "NOT_FOUND - no exchange 'x'", 60, 40])
        #expect(rig.takeSent().map(\.method) == [.channelCloseOk])
        #expect(rig.failure(confirm)?.replyCode == 404)
        #expect(rig.failure(confirm)?.delivery == .unknown)
        #expect(!rig.isAnswered(closing))
        #expect(rig.takeEvents().count == 1)
        rig.receive(.channelCloseOk, 1)
        #expect(rig.isDone(closing))
        #expect(rig.end == nil)
        #expect(try rig.openChannel() == 2)
        rig.finish()
    }

    @Test("drops what the broker sent before it saw ours, content included")
    func dropping() throws {
        let rig = try CoreRig.withChannel()
        rig.receive(.basicDeliver, 1, ["tag", 1])
        rig.receive(PeerCodec.header(1, bodySize: 2))
        _ = try rig.closeChannel()
        rig.receive(PeerCodec.body(1, [1, 2]))
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["tag", 2], [1]))
        rig.receive(.basicAck, 1, [99])
        rig.receive(.basicCancel, 1, ["tag", 0])
        rig.receive(.channelFlow, 1, [0])
        rig.receive(.channelCloseOk, 1)
        #expect(rig.end == nil)
        #expect(rig.takeEvents().isEmpty)
        #expect(rig.takeSent().map(\.method) == [.channelClose])
        rig.finish()
    }

    @Test("that the broker never answers ends for its caller at the deadline")
    func unanswered() throws {
        let rig = try CoreRig.withChannel()
        let closing = try rig.closeChannel(within: .seconds(3))
        rig.pass(.seconds(3))
        #expect(rig.failure(closing)?.code == .timedOut)
        #expect(try rig.openChannel() == 2, "the number is not free yet")
        rig.receive(.channelCloseOk, 1)
        #expect(try rig.openChannel() == 1)
        rig.finish()
    }

    @Test("makes way when all numbers are in use")
    func exhaustion() throws {
        let rig = CoreRig()
        rig.open(channelMax: 2)
        try rig.openChannel()
        try rig.openChannel()
        let error = #expect(throws: AMQPError.self) { try rig.openChannel() }
        #expect(error?.code == .tooManyChannels)
        _ = try rig.closeChannel(2)
        #expect(throws: AMQPError.self) { try rig.openChannel() }
        rig.receive(.channelCloseOk, 2)
        #expect(try rig.openChannel() == 2)
        rig.finish()
    }

    @Test("leaves room for all 65,535 numbers, and no more")
    func allNumbers() throws {
        let rig = CoreRig(CoreRig.options { $0.handshake.limits.channelMax = 0 })
        rig.open(channelMax: 0)
        rig.core.channels = Array(repeating: nil, count: 65_535)
        for number in 1..<65_535 {
            rig.core.channels[number] = ChannelCore(number: UInt16(number), confirmWindow: 1)
        }
        #expect(try rig.openChannel() == 65_535)
        let error = #expect(throws: AMQPError.self) { try rig.openChannel() }
        #expect(error?.code == .tooManyChannels)
        rig.receive(.channelClose, 65_535, [404, "gone"])
        #expect(try rig.openChannel() == 65_535)
        rig.finish()
    }
}

@Suite("The end of a connection")
struct ConnectionCloseTests {
    @Test("by us is told when the broker answers; who waits elsewhere hears at once")
    func byUs() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let call = try rig.call(.queueDeclare(.init()))
        let confirm = try rig.publishConfirmed()
        _ = rig.takeSent()
        let closing = try rig.close()
        #expect(rig.takeSent().map(\.method) == [.connectionClose])
        #expect(rig.failure(call)?.code == .closed)
        #expect(rig.failure(confirm)?.delivery == .unknown)
        #expect(!rig.isAnswered(closing))
        rig.receive(.connectionCloseOk)
        #expect(rig.isDone(closing))
        #expect(rig.end?.code == .closed)
        rig.finish()
    }

    @Test("does not wait for ever", arguments: [true, false])
    func unanswered(hangsUp: Bool) throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.closeTimeout = .seconds(5) })
        let closing = try rig.close()
        if hangsUp {
            rig.core.transportEnded(AMQPError(.connectionLost, "reset"))
            rig.settle()
        } else {
            #expect(rig.deadline == rig.now.advanced(by: .seconds(5)))
            rig.pass(.milliseconds(4_999))
            #expect(!rig.isAnswered(closing))
            rig.pass(.milliseconds(1))
        }
        #expect(rig.isDone(closing))
        #expect(rig.end?.code == .closed)
        rig.finish()
    }

    @Test("crossing the broker's close answers it and waits for close-ok")
    func crossing() throws {
        let rig = try CoreRig.withChannel()
        let closing = try rig.close()
        _ = rig.takeSent()
        rig.receive(.connectionClose, 0, [320, "CONNECTION_FORCED"])
        #expect(rig.takeSent().map(\.method) == [.connectionCloseOk])
        #expect(!rig.isAnswered(closing))
        rig.receive(.connectionCloseOk)
        #expect(rig.isDone(closing))
        rig.finish()
    }

    @Test("by the broker is answered, and everyone hears code, text and method")
    func byBroker() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let call = try rig.call(.queueDeclare(.init()))
        let confirm = try rig.publishConfirmed()
        let room = try rig.waitForRoom()
        _ = rig.takeSent()
        rig.receive(.connectionClose, 0, [541, "INTERNAL_ERROR - transient_nonexcl_queues", 50, 10])
        #expect(rig.takeSent().map(\.method) == [.connectionCloseOk])
        for waiter in [call, confirm, room] {
            #expect(rig.failure(waiter)?.code == .connectionClosed)
            #expect(rig.failure(waiter)?.replyCode == 541)
            #expect(rig.failure(waiter)?.method == .queueDeclare)
            #expect(rig.failure(waiter)?.remedy?.contains("x-expires") == true)
        }
        #expect(rig.failure(room)?.delivery == .notSent)
        #expect(throws: AMQPError.self) { try rig.close() }
        rig.finish()
    }

    @Test("by a violation says which, in the protocol's terms, and cuts a long text between letters")
    func violation() throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.peer = String(repeating: "é", count: 200) })
        rig.receive(.queueDeclareOk, 1)
        let close = try #require(rig.takeSent().first)
        #expect(close.values[0] == 503)
        #expect(close.values[2] == 50 && close.values[3] == 11)
        guard case .octets(let text) = close.values[1] else { return }
        #expect(text.count <= 255 && text.count > 250)
        #expect(String(validating: text, as: UTF8.self) != nil)
        rig.finish()
    }

    @Test("leaves those waiting who wait for the next connection, until their own deadline")
    func recovery() throws {
        let rig = try CoreRig.withChannel()
        let back = rig.watch(rig.core.waiters.add(.recovery, deadline: rig.now.advanced(by: .seconds(9))))
        let pause = rig.watch(rig.core.waiters.add(.pause, deadline: rig.now.advanced(by: .seconds(4))))
        rig.core.transportEnded(AMQPError(.connectionLost, "reset"))
        rig.settle()
        #expect(!rig.isAnswered(back) && !rig.isAnswered(pause))
        #expect(rig.deadline == rig.now.advanced(by: .seconds(4)))
        rig.pass(.seconds(4))
        #expect(rig.failure(pause)?.code == .timedOut)
        rig.pass(.seconds(5))
        #expect(rig.failure(back)?.delivery == .notSent)
        rig.finish()
    }

    @Test("comes once, and nothing comes behind it")
    func once() throws {
        let rig = try CoreRig.withChannel()
        rig.receive(
            PeerCodec.method(.connectionClose, 0, [320, "bye"]) + PeerCodec.method(.queueDeclareOk, 1)
                + PeerCodec.content(.basicDeliver, 1, ["tag", 1], [1])
        )
        rig.core.transportEnded(AMQPError(.connectionLost, "reset"))
        rig.receive(PeerCodec.method(.channelClose, 1))
        rig.pass(.seconds(100))
        #expect(rig.takeEvents().count == 1)
        #expect(rig.end?.replyCode == 320)
        #expect(rig.takeSent().map(\.method) == [.connectionCloseOk])
        rig.finish()
    }
}

@Suite("A consumer that the broker ends")
struct BrokerCancelTests {
    @Test("is told; the broker gets an answer only if it wants one", arguments: [true, false])
    func cancel(noWait: Bool) throws {
        let rig = try CoreRig.withChannel()
        rig.receive(.basicCancel, 1, ["ctag", noWait ? 1 : 0])
        #expect(rig.takeSent().map(\.method) == (noWait ? [] : [.basicCancelOk]))
        guard case .consumerCancelled(channel: 1, let tag)? = rig.takeEvents().first else {
            Issue.record("not told")
            return
        }
        #expect(tag == "ctag")
        rig.finish()
    }
}
