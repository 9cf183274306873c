import Testing

@testable import AMQPWire

/// Exclusive consumers whose queue somebody else consumes when the connection is back: active and standby.
@Suite("An exclusive consumer that somebody else holds", .timeLimit(.minutes(1)))
struct ExclusiveConsumerTests {
    let events = EventLog()

    private static let inUse = PlayedBroker.Reaction.closeChannel(
        403,
        "ACCESS_REFUSED - queue 'shared' in vhost '/' in exclusive use"
    )

    @Test(
        "holds up nothing: publishes and the other consumers of its channel go on, and its channel is not closed again"
    )
    func holdsUpNothing() async throws {
        let isFree = Signal()
        let broker = try PlayedBroker { connection, request in
            guard connection > 0, !isFree.isSet else { return .answer }
            if request.description.hasPrefix("basic.consume shared") { return Self.inUse }
            guard request.description == "queue.declare shared" else { return .answer }
            let counts = PlayedMethod.long(0) + PlayedMethod.long(1)
            return .send([PlayedMethod(id: (50, 11), arguments: PlayedMethod.string("shared") + counts)])
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let standby = Task { for try await _ in channel.consume("shared", exclusive: true, consumerTag: "standby") {} }
        try await channel.awaitConsumer("standby")
        var others = channel.consume("other", consumerTag: "z").makeAsyncIterator()
        let first = Task { try await others.next()?.body }
        try await channel.awaitConsumer("z")
        broker.cut()
        await events.wait(for: "recovered")
        try await channel.publish("meanwhile", routingKey: "other")
        let number = try #require(channel.record.number)
        broker.say(.deliver("hello", to: "z", tag: 1), channel: number)
        #expect(try await first.value == Array("hello".utf8))
        #expect(events.lines.contains("delayed: consumer 'standby' of queue 'shared' 403"))
        // Asked again and again, without the consumer's channel.
        try await eventually { broker.calls(1).count { $0 == "queue.declare shared" } >= 3 }
        #expect(broker.calls(1).count { $0 == "basic.consume shared standby" } == 1)
        isFree.set()
        await events.wait(for: "completed: consumer 'standby'")
        #expect(channel.isOpen && channel.record.number == number)
        await connection.close()
        try await standby.value0()
    }

    @Test("is given up after two heartbeats, and its reader hears why")
    func givenUp() async throws {
        let broker = try PlayedBroker(heartbeat: 1) { connection, request in
            connection > 0 && request.description.hasPrefix("basic.consume shared") ? Self.inUse : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let standby = Task { for try await _ in channel.consume("shared", exclusive: true, consumerTag: "standby") {} }
        try await channel.awaitConsumer("standby")
        broker.cut()
        let error = await #expect(throws: AMQPError.self) { try await standby.value }
        #expect(error?.replyCode == 403)
        await events.wait(for: "failed: consumer 'standby' of queue 'shared' 403")
        #expect(channel.isOpen)
        await connection.close()
    }

    @Test("is not waited for once its reader is gone")
    func cancelled() async throws {
        let broker = try PlayedBroker { connection, request in
            connection > 0 && request.description.hasPrefix("basic.consume shared") ? Self.inUse : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let standby = Task { for try await _ in channel.consume("shared", exclusive: true, consumerTag: "standby") {} }
        try await channel.awaitConsumer("standby")
        broker.cut()
        await events.wait(for: "recovered")
        standby.cancel()
        try await standby.value0()
        try await isGone { connection.driver.state.withLock { $0.recoveryTask == nil } }
        #expect(!events.lines.contains { $0.hasPrefix("failed") })
        await connection.close()
    }

    @Test(
        "at RabbitMQ: the standby takes over when the active one goes",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func takesOver() async throws {
        let fault = NetworkFault(to: TestBroker.port ?? 1)
        let queue = uniqueName("active")
        try await TestBroker.rabbitmq.withChannel { _, active in
            try await active.declareQueue(queue, arguments: ["x-expires": 60_000])
            let connection = try await AMQPConnection.connect(.quick(fault.uri, events))
            let channel = try await connection.openChannel()
            let received = Shared<[String]>([])
            let standby = Task {
                for try await delivery in channel.consume(queue, exclusive: true, consumerTag: "standby") {
                    received.withLock { $0.append(String(decoding: delivery.body, as: UTF8.self)) }
                    try await delivery.ack()
                }
            }
            try await eventually { try await active.declareQueuePassively(queue).consumerCount == 1 }
            fault.end(reset: true)
            // The other takes the queue while this one is away.
            let holder = Task { for try await _ in active.consume(queue, exclusive: true, consumerTag: "active") {} }
            await events.wait(for: "recovered")
            let isHeld = events.lines.contains { $0.hasPrefix("delayed: consumer 'standby'") }
            if isHeld {
                #expect(channel.isOpen)
                holder.cancel()
                try await holder.value0()
                await events.wait(for: "completed: consumer 'standby'")
            } else {
                // It was first.
                _ = await holder.result
            }
            let publisher = try await connection.openChannel()
            try await publisher.publish("mine", routingKey: queue)
            try await eventually { received.withLock { $0 } == ["mine"] }
            await connection.close()
            try await standby.value0()
        }
    }
}
