import Testing

@testable import AMQPWire

/// Queues that the broker still holds for the lost connection, with a played broker.
@Suite("A queue that the broker still holds for the lost connection", .timeLimit(.minutes(1)))
struct HeldQueueTests {
    let events = EventLog()

    private static func isHeld(_ request: PlayedRequest) -> Bool {
        ["queue.declare held", "queue.bind held e"].contains(request.description)
    }

    private static let locked = PlayedBroker.Reaction.closeChannel(
        405,
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'held'"
    )

    /// Declares a queue that will be held and one that will not, with a binding and a consumer each.
    private func declare(_ channel: AMQPChannel) async throws -> [Task<Void, any Error>] {
        try await channel.declareExchange("e")
        var readers: [Task<Void, any Error>] = []
        for name in ["held", "other"] {
            try await channel.declareQueue(name, exclusive: true)
            try await channel.bindQueue(name, to: "e")
            readers.append(Task { for try await _ in channel.consume(name, consumerTag: "of-\(name)") {} })
            try await channel.awaitConsumer(AMQPText("of-\(name)"))
        }
        return readers
    }

    @Test("is waited for alone: all else is back and publishes go on, and then it comes with what belongs to it")
    func alone() async throws {
        let isReleased = Signal()
        let refusals = RequestCounter()
        let broker = try PlayedBroker { connection, request in
            guard connection > 0, Self.isHeld(request), !isReleased.isSet else { return .answer }
            _ = refusals.count(0)
            return Self.locked
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let readers = try await declare(channel)
        broker.cut()
        await events.wait(for: "recovered")
        // Published while the queue is still held.
        try await channel.publish("meanwhile", routingKey: "other")
        #expect(broker.calls(1).contains("basic.consume other of-other"))
        #expect(!broker.calls(1).contains { $0 == "queue.bind held e" || $0.hasPrefix("basic.consume held") })
        isReleased.set()
        await events.wait(for: "completed")
        let calls = broker.calls(1).filter { $0.contains("held") && $0 != "queue.declare held" }
        #expect(calls == ["queue.bind held e", "basic.consume held of-held"])
        #expect(
            events.lines == [
                "connected", "disconnected", "reconnecting 1", "connected", "delayed: queue 'held' 405", "recovered",
                "completed: queue 'held'",
            ]
        )
        #expect(channel.isOpen)
        await connection.close()
        for reader in readers { try await reader.value0() }
    }

    @Test("is given up after two heartbeats, and its consumer ends with the reason")
    func givenUp() async throws {
        let broker = try PlayedBroker(heartbeat: 1) { connection, request in
            connection > 0 && Self.isHeld(request) ? Self.locked : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let readers = try await declare(channel)
        broker.cut()
        let error = await #expect(throws: AMQPError.self) { try await readers[0].value }
        #expect(error?.replyCode == 405)
        await events.wait(for: "failed: consumer")
        #expect(
            events.lines.filter { $0.hasPrefix("failed") } == [
                "failed: queue 'held' 405", "failed: consumer 'of-held' of queue 'held' 405",
            ]
        )
        #expect(events.lines.contains("recovered") && !events.lines.contains { $0.hasPrefix("completed") })
        #expect(channel.isOpen)
        await connection.close()
        try await readers[1].value0()
    }

    @Test("is waited for anew where the connection is lost once more, and by one recovery only")
    func lostAgain() async throws {
        let broker = try PlayedBroker { connection, request in
            (1...2).contains(connection) && Self.isHeld(request) ? Self.locked : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let readers = try await declare(channel)
        for number in 1...2 {
            broker.cut()
            await events.wait(for: "recovered", number)
        }
        broker.cut()
        await events.wait(for: "recovered", 3)
        #expect(broker.calls(3).count { $0 == "queue.declare held" } == 1)
        #expect(broker.calls(3).count { $0 == "basic.consume held of-held" } == 1)
        #expect(events.lines.count { $0.hasPrefix("delayed") } == 2)
        await connection.close()
        for reader in readers { try await reader.value0() }
    }

    @Test("is not declared any more once it is deleted")
    func deleted() async throws {
        let isReleased = Signal()
        let broker = try PlayedBroker { connection, request in
            connection > 0 && Self.isHeld(request) && !isReleased.isSet ? Self.locked : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("held", exclusive: true)
        broker.cut()
        await events.wait(for: "recovered")
        try await channel.deleteQueue("held")
        let declared = broker.calls(1).count { $0 == "queue.declare held" }
        isReleased.set()
        try await isGone { connection.driver.state.withLock { $0.recoveryTask == nil } }
        // One attempt may have been on its way.
        #expect(broker.calls(1).count { $0 == "queue.declare held" } <= declared + 1)
        #expect(connection.driver.state.withLock { $0.topology.isEmpty })
        await connection.close()
    }

    @Test("does not keep a connection from being closed")
    func closed() async throws {
        let broker = try PlayedBroker { connection, request in
            connection > 0 && Self.isHeld(request) ? Self.locked : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let readers = try await declare(channel)
        broker.cut()
        await events.wait(for: "recovered")
        await connection.close()
        await events.wait(for: "closed")
        for reader in readers { try await reader.value0() }
    }

    @Test("has a consumer of the application's own left alone: it is not started twice")
    func consumedAlready() async throws {
        let isReleased = Signal()
        let broker = try PlayedBroker { connection, request in
            connection > 0 && Self.isHeld(request) && !isReleased.isSet ? Self.locked : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("held", exclusive: true)
        broker.cut()
        await events.wait(for: "recovered")
        let reader = Task { for try await _ in channel.consume("held", consumerTag: "mine") {} }
        try await channel.awaitConsumer("mine")
        isReleased.set()
        await events.wait(for: "completed")
        _ = try await channel.get("sync")
        #expect(broker.calls(1).count { $0 == "basic.consume held mine" } == 1)
        await connection.close()
        try await reader.value0()
    }

    @Test("is given up aloud where no channel is free to wait for it")
    func noChannel() async throws {
        let broker = try PlayedBroker { connection, request in
            connection > 0 && Self.isHeld(request) ? Self.locked : .answer
        }
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { $0.limits.channelMax = 1 }
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        try await channel.declareQueue("held", exclusive: true)
        let reader = Task { for try await _ in channel.consume("held", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        let error = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(error?.code == .tooManyChannels)
        await events.wait(for: "failed", 2)
        #expect(events.lines.suffix(2) == ["failed: queue 'held' 0", "failed: consumer 'c' of queue 'held' 0"])
        await connection.close()
    }

    @Test("has its consumer ended with the reason where the broker does not answer to it")
    func unansweredConsumer() async throws {
        let isReleased = Signal()
        let broker = try PlayedBroker { connection, request in
            guard connection > 0 else { return .answer }
            if request.name == "basic.consume" { return .silence }
            return Self.isHeld(request) && !isReleased.isSet ? Self.locked : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("held", exclusive: true)
        let reader = Task { for try await _ in channel.consume("held", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "recovered")
        isReleased.set()
        try await eventually { broker.calls(1).contains("basic.consume held c") }
        // As if its time had run out.
        connection.driver.perform { state in
            guard let number = channel.record.number, let call = state.core.channel(number)?.inFlight else { return }
            if let waiter = call.waiter { state.core.giveUp(waiter, AMQPError(.timedOut, scope: .channel, "too late")) }
        }
        await events.wait(for: "failed")
        let error = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(error?.code == .timedOut)
        #expect(events.lines.last == "failed: consumer 'c' of queue 'held' 0")
        #expect(!events.lines.contains { $0.hasPrefix("completed") })
        await connection.close()
    }
}
