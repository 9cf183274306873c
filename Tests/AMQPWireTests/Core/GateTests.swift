import Testing

@testable import AMQPWire

@Suite("Room to publish")
struct GateTests {
    private func hasRoom(_ rig: CoreRig, _ channel: UInt16 = 1, retrying: Bool = false) throws -> Bool {
        if case .free = try rig.core.room(channel, retrying: retrying) { true } else { false }
    }

    @Test("is there at first, and until the window of unconfirmed publishes is full")
    func window() throws {
        let rig = try CoreRig.withChannel(window: 2, confirms: true)
        #expect(try hasRoom(rig))
        try rig.publish()
        #expect(try hasRoom(rig))
        try rig.publish()
        #expect(try !hasRoom(rig))
        rig.receive(.basicAck, 1, [1, 0])
        #expect(try hasRoom(rig))
        rig.finish()
    }

    @Test("is for as many as fit, first come first, and for none who comes later")
    func fairness() throws {
        let rig = try CoreRig.withChannel(window: 2, confirms: true)
        try rig.publish()
        try rig.publish()
        let waiters = try (0..<4).map { _ in try rig.waitForRoom() }
        rig.receive(.basicAck, 1, [1, 0])
        #expect(waiters.map(rig.isDone) == [true, false, false, false])
        rig.receive(PeerCodec.heartbeat)
        #expect(waiters.map(rig.isDone) == [true, false, false, false], "the place is promised")
        #expect(try !hasRoom(rig), "nobody goes in front of those who wait")
        #expect(try hasRoom(rig, retrying: true))
        try rig.publish()
        rig.receive(.basicAck, 1, [3, 1])
        #expect(waiters.map(rig.isDone) == [true, true, true, false])
        rig.finish()
    }

    @Test("that is promised is kept, even if nobody else waits")
    func promise() throws {
        let rig = try CoreRig.withChannel(window: 1, confirms: true)
        try rig.publish()
        let waiter = try rig.waitForRoom()
        rig.receive(.basicAck, 1, [1, 0])
        #expect(rig.isDone(waiter))
        #expect(try !hasRoom(rig))
        #expect(try hasRoom(rig, retrying: true))
        rig.finish()
    }

    @Test("goes to the next where the one who had it cannot publish")
    func failedPublish() throws {
        let rig = try CoreRig.withChannel(window: 1, confirms: true)
        try rig.publish()
        let first = try rig.waitForRoom()
        let second = try rig.waitForRoom()
        rig.receive(.basicAck, 1, [1, 0])
        #expect(rig.isDone(first) && !rig.isAnswered(second))
        #expect(try hasRoom(rig, retrying: true))
        let long = AMQPText(String(repeating: "k", count: 256))
        #expect(throws: AMQPError.self) { try rig.publish(key: long) }
        rig.settle()
        #expect(rig.isDone(second))
        rig.finish()
    }

    @Test("that was promised and is gone when they come lets them go first the next time")
    func again() throws {
        let rig = try CoreRig.withChannel(window: 9)
        rig.receive(.connectionBlocked, 0, ["low on memory"])
        let first = try rig.waitForRoom()
        let second = try rig.waitForRoom()
        rig.receive(.connectionUnblocked)
        #expect(rig.isDone(first) && rig.isDone(second))
        rig.receive(.connectionBlocked, 0, ["low on disk"])
        #expect(try !hasRoom(rig, retrying: true))
        let third = try rig.waitForRoom()
        let firstAgain = try rig.waitForRoom(first: true)
        #expect(!rig.isAnswered(third) && !rig.isAnswered(firstAgain))
        rig.receive(.connectionUnblocked)
        #expect(rig.isDone(third) && rig.isDone(firstAgain))
        rig.finish()
    }

    @Test("passes over those who gave up")
    func givenUp() throws {
        let rig = try CoreRig.withChannel(window: 1, confirms: true)
        try rig.publish()
        let first = try rig.waitForRoom()
        let second = try rig.waitForRoom()
        rig.giveUp(first)
        #expect(rig.failure(first)?.delivery == .notSent)
        rig.receive(.basicAck, 1, [1, 0])
        #expect(rig.isDone(second))
        rig.finish()
    }

    @Test("is withheld by a blocked broker, on all channels, until it unblocks; other calls go on")
    func blocked() throws {
        let rig = try CoreRig.withChannel()
        try rig.openChannel()
        rig.receive(.connectionBlocked, 0, ["low on memory"])
        #expect(try !hasRoom(rig, 1) && !hasRoom(rig, 2))
        let waiter = try rig.waitForRoom(2)
        let timed = rig.watch(try rig.core.waitForRoom(1, deadline: rig.now.advanced(by: .seconds(1)), first: false))
        let call = try rig.call(.queueDeclare(.init()))
        rig.receive(.queueDeclareOk, 1)
        #expect(rig.isAnswered(call) && !rig.isAnswered(waiter))
        rig.pass(.seconds(1))
        #expect(rig.failure(timed)?.code == .timedOut)
        #expect(rig.failure(timed)?.message.contains("low on memory") == true)
        rig.receive(.connectionUnblocked)
        #expect(rig.isDone(waiter))
        let events = rig.takeEvents()
        guard events.count == 2, case .blocked("low on memory") = events[0], case .unblocked = events[1] else {
            Issue.record("\(events)")
            return
        }
        rig.finish()
    }

    @Test("is withheld by channel.flow on that channel, which is answered")
    func flow() throws {
        let rig = try CoreRig.withChannel()
        try rig.openChannel()
        _ = rig.takeSent()
        rig.receive(.channelFlow, 1, [0])
        #expect(try !hasRoom(rig, 1))
        #expect(try hasRoom(rig, 2))
        let waiter = try rig.waitForRoom()
        rig.receive(.channelFlow, 1, [1])
        #expect(rig.isDone(waiter))
        let sent = rig.takeSent()
        #expect(sent.map(\.method) == [.channelFlowOk, .channelFlowOk])
        #expect(sent.map(\.values) == [[0], [1]])
        rig.finish()
    }

    @Test("ends at the high-water mark of octets that wait to be sent, under way ones included")
    func highWater() throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.highWaterMark = 1_000 })
        rig.drains = false
        try rig.publish(Array(repeating: 1, count: 500))
        #expect(try hasRoom(rig))
        try rig.publish(Array(repeating: 1, count: 500))
        #expect(try !hasRoom(rig))
        let waiter = try rig.waitForRoom()
        rig.core.inTransit = rig.core.encoder.bytes.count
        rig.core.encoder.bytes.removeAll()
        rig.core.openGates()
        rig.settle()
        #expect(!rig.isAnswered(waiter))
        rig.core.inTransit = 0
        rig.core.openGates()
        rig.settle()
        #expect(rig.isDone(waiter))
        rig.finish()
    }

    @Test("is nowhere on a channel that is closed or closing")
    func closed() throws {
        let rig = try CoreRig.withChannel()
        _ = try rig.closeChannel()
        #expect(throws: AMQPError.self) { try hasRoom(rig, 1) }
        #expect(throws: AMQPError.self) { try rig.waitForRoom() }
        #expect(throws: AMQPError.self) { try hasRoom(rig, 7) }
        rig.finish()
    }
}
