import Testing

@testable import AMQPWire

/// What comes back on a new connection, and what does not, with a played broker.
@Suite("What recovery restores", .timeLimit(.minutes(1)))
struct RestoreTests {
    let events = EventLog()

    /// Declares something of everything on one channel, and consumes.
    private func declare(_ channel: AMQPChannel) async throws -> AMQPConsumer {
        try await channel.declareExchange("e", type: .topic)
        try await channel.declareExchange("f")
        try await channel.declareQueue("q", durable: true)
        try await channel.bindExchange("e", to: "f", routingKey: "k")
        try await channel.bindQueue("q", to: "e", routingKey: "k")
        try await channel.setQoS(prefetchCount: 7, global: true)
        try await channel.setQoS(prefetchCount: 9)
        try await channel.publish("one", routingKey: "q")
        return channel.consume("q", prefetchCount: 5, consumerTag: "c")
    }

    private static let restored = [
        "channel.open", "exchange.declare e", "exchange.declare f", "queue.declare q", "exchange.bind e f k",
        "queue.bind q e k", "channel.close", "channel.open", "basic.qos 9", "basic.qos 7 global", "confirm.select",
        "basic.qos 5", "basic.qos 7 global", "basic.consume q c",
    ]

    @Test("everything is back, in an order that works, before it is said to be")
    func everything() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let consumer = try await declare(channel)
        let reader = Task { for try await _ in consumer {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.calls(1) == Self.restored)
        #expect(events.lines == ["connected", "disconnected", "reconnecting 1", "connected", "recovered"])
        #expect(connection.statistics.reconnects == 1)
        try await channel.publish("two", routingKey: "q")
        #expect(broker.calls(1).last == "basic.publish two")
        await connection.close()
        await events.wait(for: "closed")
        #expect(events.lines.last == "closed")
        try await reader.value0()
    }

    @Test("a connection that is cut at each step of being restored is restored in the end")
    func cutEverywhere() async throws {
        let steps = ["connection.start-ok", "connection.tune-ok", "connection.open"] + Self.restored

        let cutter = RequestCounter()
        let broker = try PlayedBroker { connection, request in
            guard connection > 0, connection <= steps.count else { return .answer }
            return cutter.count(connection) == connection ? .cut : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let consumer = try await declare(channel)
        let reader = Task { for try await _ in consumer {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.calls(broker.connectionCount - 1) == Self.restored)
        #expect(broker.connectionCount >= steps.count)
        #expect(events.lines.count { $0 == "recovered" } == 1)
        // Each loss of an open connection was told, and no other.
        #expect(events.lines.count { $0 == "connected" } == events.lines.count { $0 == "disconnected" } + 1)
        await connection.close()
        try await reader.value0()
    }

    @Test("a queue that the broker named has its new name in bindings and consumers")
    func renamed() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(exclusive: true)
        #expect(queue.name == "amq.gen-0")
        try await channel.bindQueue(queue.name, to: "e")
        let reader = Task { for try await _ in channel.consume("amq.gen-0", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        for number in 1...2 {
            broker.cut()
            await events.wait(for: "recovered", number)
            #expect(
                broker.calls(number) == [
                    "channel.open", "queue.declare", "queue.bind amq.gen-\(number) e", "channel.close", "channel.open",
                    "basic.qos 100", "basic.consume amq.gen-\(number) c",
                ]
            )
        }
        #expect(events.lines.contains("renamed amq.gen-0 amq.gen-1"))
        #expect(events.lines.contains("renamed amq.gen-1 amq.gen-2"))
        await connection.close()
        try await reader.value0()
    }

    @Test("what was deleted, unbound, cancelled or closed stays away")
    func deleted() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let other = try await connection.openChannel()
        for name in ["a", "b"] {
            try await channel.declareExchange(name)
            try await channel.declareQueue(name)
            try await channel.bindQueue(name, to: name)
        }
        let reader = Task { for try await _ in channel.consume("b", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        reader.cancel()
        try await reader.value0()
        try await channel.deleteQueue("a")
        try await channel.deleteExchange("a")
        try await other.close()
        broker.cut()
        await events.wait(for: "recovered")
        #expect(
            broker.calls(1) == [
                "channel.open", "exchange.declare b", "queue.declare b", "queue.bind b b", "channel.close",
                "channel.open",
            ]
        )
        await connection.close()
    }

    @Test("an exchange that deletes itself with its last binding is not resurrected")
    func autoDeleteExchange() async throws {
        var topology = Topology()
        topology.declared(.init(exchange: "source", autoDelete: true))
        topology.declared(.init(exchange: "middle", autoDelete: true))
        topology.declared(.init(queue: "q"), name: "q")
        topology.bound(.init(destination: "middle", source: "source"))
        topology.bound(.init(queue: "q", exchange: "middle"))
        topology.deletedQueue("q")
        #expect(topology.isEmpty)
    }

    @Test("what the broker refuses is reported, and the rest comes back")
    func refusedDeclarations() async throws {
        let broker = try PlayedBroker { connection, request in
            guard connection > 0 else { return .answer }
            return switch request.description {
            case "exchange.declare e": .closeChannel(406, "PRECONDITION_FAILED - inequivalent arg 'type'")
            case "queue.bind q e k": .closeChannel(404, "NOT_FOUND - no exchange 'e'")
            default: .answer
            }
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let consumer = try await declare(channel)
        let reader = Task { for try await _ in consumer {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "recovered")
        #expect(
            events.lines.filter { $0.hasPrefix("failed") } == [
                "failed: exchange 'e' 406", "failed: binding of queue 'q' to 'e' 404",
            ]
        )
        #expect(!events.lines.contains("channel closed"))
        #expect(broker.calls(1).last == "basic.consume q c")
        await connection.close()
        try await reader.value0()
    }

    @Test("a consumer whose queue is gone ends with the reason; the others of its channel go on")
    func refusedConsumer() async throws {
        let broker = try PlayedBroker { connection, request in
            connection > 0 && request.description == "basic.consume gone a"
                ? .closeChannel(404, "NOT_FOUND - no queue 'gone'") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let ending = Task { () -> UInt16? in
            do {
                for try await _ in channel.consume("gone", consumerTag: "a") {}
                return nil
            } catch {
                return (error as? AMQPError)?.replyCode
            }
        }
        var bodies = channel.consume("there", consumerTag: "b").makeAsyncIterator()
        try await channel.awaitConsumer("a")
        let first = Task { () -> String? in
            let delivery = try await bodies.next()
            return delivery.map { String(decoding: $0.body, as: UTF8.self) }
        }
        try await channel.awaitConsumer("b")
        broker.cut()
        await events.wait(for: "recovered")
        #expect(await ending.value == 404)
        #expect(events.lines.contains("failed: consumer 'a' of queue 'gone' 404"))
        // The number that the broker closed is taken last.
        let number = try #require(channel.record.number)
        broker.say(.deliver("hello", to: "b", tag: 1), channel: number)
        #expect(try await first.value == "hello")
        #expect(channel.isOpen)
        await connection.close()
    }

    @Test("an exclusive queue that the broker has not taken from the lost connection yet is tried again")
    func locked() async throws {
        let refusals = RequestCounter()
        let broker = try PlayedBroker { connection, request in
            connection > 0 && request.description == "queue.declare q" && refusals.count(0) <= 3
                ? .closeChannel(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q'") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("q", exclusive: true)
        broker.cut()
        await events.wait(for: "completed: queue 'q'")
        #expect(broker.calls(1).count { $0 == "queue.declare q" } == 4)
        #expect(events.lines.count { $0 == "recovered" } == 1)
        await connection.close()
    }

    @Test("an exclusive consumer that the broker still counts to the lost connection is tried again, after all else")
    func lockedConsumer() async throws {
        let refusals = RequestCounter()
        let broker = try PlayedBroker { connection, request in
            connection > 0 && request.name == "basic.consume" && refusals.count(0) <= 3
                ? .closeChannel(403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let reader = Task { for try await _ in channel.consume("q", exclusive: true, consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "completed: consumer 'c' of queue 'q'")
        // Three that were refused, one that asks whether it would be, and its own.
        #expect(broker.calls(1).count { $0 == "basic.consume q c" } == 5)
        #expect(
            events.lines == [
                "connected", "disconnected", "reconnecting 1", "connected", "delayed: consumer 'c' of queue 'q' 403",
                "recovered", "completed: consumer 'c' of queue 'q'",
            ]
        )
        await connection.close()
        try await reader.value0()
    }

    @Test("a declaration at which the broker ends the connection is given up after three attempts")
    func fatalDeclaration() async throws {
        let broker = try PlayedBroker { connection, request in
            connection > 0 && request.description == "queue.declare transient"
                ? .closeConnection(541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("transient")
        try await channel.declareQueue("other", durable: true)
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.connectionCount == 5)
        #expect(broker.calls(4).contains("queue.declare other"))
        #expect(events.lines.filter { $0.hasPrefix("failed") } == ["failed: queue 'transient' 541"])
        await connection.close()
    }

    @Test("a broker that does not answer in time is left for another attempt")
    func slow() async throws {
        let broker = try PlayedBroker { connection, request in
            connection == 1 && request.name == "queue.declare" ? .silence : .answer
        }
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events) { $0.callTimeout = .milliseconds(200) }
        )
        let channel = try await connection.openChannel()
        try await channel.declareQueue("q")
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.connectionCount == 3)
        await connection.close()
    }

    @Test("a channel closed and a consumer cancelled while they are being restored stay so")
    func closedMeanwhile() async throws {
        let channels = HeldChannels()
        let broker = try PlayedBroker { connection, request in
            guard connection == 1 else { return .answer }
            // The topology is being declared: the channels are not there yet.
            if request.name == "queue.declare" { channels.letGo() }
            return .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let kept = try await connection.openChannel()
        try await kept.declareQueue("q")
        channels.hold(try await connection.openChannel())
        let reader = Task { for try await _ in kept.consume("q", consumerTag: "c") {} }
        try await kept.awaitConsumer("c")
        channels.hold(reader)
        broker.cut()
        await events.wait(for: "recovered")
        try await reader.value0()
        #expect(broker.calls(1).count { $0 == "channel.open" } == 2)
        #expect(!broker.calls(1).contains { $0.hasPrefix("basic.consume") })
        #expect(connection.driver.state.withLock { $0.channels.count } == 1)
        await connection.close()
    }

    @Test("an old delivery is not acknowledged on the new connection; without acknowledgements it is kept")
    func oldDeliveries() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let reader = Task { () -> AMQPDelivery? in
            for try await delivery in channel.consume("q", consumerTag: "acked") { return delivery }
            return nil
        }
        try await channel.awaitConsumer("acked")
        broker.say(.deliver("old", to: "acked", tag: 1), channel: 1)
        let received = try await reader.value
        let delivery = try #require(received)
        let noAck = channel.consume("q", prefetchCount: 1, noAck: true, consumerTag: "noack")
        try await noAck.start()
        broker.say(.deliver("kept", to: "noack", tag: 2), channel: 1)
        // A call whose answer comes after the delivery.
        try await channel.declareExchange("e")
        broker.cut()
        await events.wait(for: "recovered")
        try await delivery.ack()
        var kept = noAck.makeAsyncIterator()
        #expect(try await kept.next()?.text == "kept")
        try await channel.declareExchange("e")
        #expect(!broker.calls(1).contains { $0.hasPrefix("basic.ack") })
        await connection.close()
    }

    @Test("the mode of a channel comes back, and a transaction that lost a part is not committed")
    func transactions() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.selectTransactions()
        try await channel.publish("a", routingKey: "q")
        broker.cut()
        await events.wait(for: "recovered")
        try await channel.publish("b", routingKey: "q")
        let error = await #expect(throws: AMQPError.self) { try await channel.commit() }
        #expect(error?.delivery == .notSent)
        try await channel.publish("c", routingKey: "q")
        try await channel.commit()
        #expect(
            broker.calls(1) == [
                "channel.open", "tx.select", "basic.publish b", "tx.rollback", "basic.publish c", "tx.commit",
            ]
        )
        await connection.close()
    }

    @Test("a channel whose confirms were turned on has them on again, and a consumer without a wait is waited for")
    func confirmsAndNoWait() async throws {
        let broker = try PlayedBroker { connection, request in
            // No answer is wanted on the first connection.
            if connection == 0, request.name == "basic.consume" { return .silence }
            return request.name == "confirm.select" && request.arguments == [0]
                ? .send([PlayedMethod(id: (85, 11))]) : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.enableConfirms()
        let reader = Task { for try await _ in channel.consume("q", consumerTag: "c", noWait: true) {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.calls(1) == ["channel.open", "confirm.select", "basic.qos 100", "basic.consume q c"])
        await connection.close()
        try await reader.value0()
    }
}
