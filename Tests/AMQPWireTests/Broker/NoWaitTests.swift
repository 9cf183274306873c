import Testing

@testable import AMQPWire

/// Calls that do not wait for the broker's answer, where the protocol has such a form, and confirm mode as a call.
@Suite("Calls without answers", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct NoWaitTests {
    @Test("declare, purge and delete a queue")
    func queues() async throws {
        // GarageMQ answers all the same, which ends the connection.
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let name = uniqueName()
            let declared = try await channel.declareQueue(name, exclusive: true, noWait: true)
            #expect(declared == AMQPDeclaredQueue(name: name, messageCount: 0, consumerCount: 0))
            for _ in 0..<3 { try await channel.publish("x", routingKey: name) }
            try await channel.expectMessages(3, in: name)
            #expect(try await channel.purgeQueue(name, noWait: true) == 0)
            try await channel.expectMessages(0, in: name)
            #expect(connection.driver.state.withLock { $0.topology.queues.map(\.name) } == [AMQPText(name)])
            #expect(try await channel.deleteQueue(name, noWait: true) == 0)
            #expect(connection.driver.state.withLock { $0.topology.isEmpty })
            let error = await #expect(throws: AMQPError.self) { try await channel.declareQueuePassively(name) }
            #expect(error?.replyCode == 404)
        }
    }

    @Test("cannot declare a queue that the broker names")
    func nameless() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue(noWait: true) }
            #expect(error?.code == .invalidArgument)
            #expect(channel.isOpen)
        }
    }

    @Test("start and cancel consumers, one after another", arguments: [false, true])
    func consumers(noAck: Bool) async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            for _ in 0..<5 { try await channel.publish("x", routingKey: queue) }
            for _ in 0..<5 {
                let consumer = channel.consume(queue, prefetchCount: 1, noAck: noAck, consumerTag: "c", noWait: true)
                var deliveries = consumer.makeAsyncIterator()
                let delivery = try #require(try await deliveries.next())
                try await delivery.ack()
                try await consumer.cancel(noWait: true)
                try await eventually { try await watcher.declareQueuePassively(queue).consumerCount == 0 }
                if noAck { try await watcher.publish("x", routingKey: queue) }
            }
            #expect(channel.isOpen)
            try await eventually { connection.leftovers == 0 }
        }
    }

    @Test("that start a consumer and cancel it at once leave the connection open")
    func cancelledAtOnce() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            for _ in 0..<20 {
                let consumer = channel.consume(queue, noWait: true)
                let reader = Task { for try await _ in consumer {} }
                try await eventually {
                    channel.driver.state.withLock { _ in channel.record.consumers.values.contains { $0.isStarted } }
                }
                try await consumer.cancel(noWait: true)
                try await reader.value
            }
            #expect(try await channel.declareQueuePassively(queue).consumerCount == 0)
        }
    }

    @Test("that the broker refuses close the channel, and end the consumer with its reason")
    func refused() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, _ in
            let channel = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) {
                for try await _ in channel.consume(uniqueName(), noWait: true) {}
            }
            #expect(error?.replyCode == 404)
            #expect(!channel.isOpen)
        }
    }

    @Test("leave a consumer's name that cannot be sent to its reader to hear of")
    func invalid() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let error = await #expect(throws: AMQPError.self) {
                for try await _ in channel.consume(String(repeating: "q", count: 256), noWait: true) {}
            }
            #expect(error?.code == .invalidArgument)
            #expect(channel.isOpen)
        }
    }

    @Test(
        "turn confirms on, as the form with an answer does, for what is sent from there on",
        arguments: [false, true]
    )
    func confirms(noWait: Bool) async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            try await channel.enableConfirms(noWait: noWait)
            try await channel.enableConfirms(noWait: !noWait)
            for _ in 0..<10 { try await channel.send([1], routingKey: queue) }
            try await channel.waitForConfirms()
            #expect(connection.statistics.publishesConfirmed == 10)
            #expect(try await channel.declareQueuePassively(queue).messageCount == 10)
            try await channel.publish("x", routingKey: queue)
            #expect(connection.statistics.publishesConfirmed == 11)
        }
    }

    @Test("do not turn confirms on in a channel with transactions", arguments: [false, true])
    func confirmsInTransaction(noWait: Bool) async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            try await channel.selectTransactions()
            let error = await #expect(throws: AMQPError.self) { try await channel.enableConfirms(noWait: noWait) }
            #expect(error?.code == .invalidArgument)
            #expect(channel.isOpen)
        }
    }
}
