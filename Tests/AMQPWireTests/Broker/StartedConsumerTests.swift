import Testing

@testable import AMQPWire

/// Consumers that are started before they are read, cancelled before they are started, or read by several.
@Suite("Started consumers", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct StartedConsumerTests {
    private func fill(_ channel: AMQPChannel, _ count: Int) async throws -> String {
        let queue = try await channel.makeQueue()
        for number in 0..<count { try await channel.submit("\(number)", routingKey: queue) }
        try await channel.waitForConfirms()
        return queue
    }

    @Test("a started consumer is known to the broker, and its loop takes what came before")
    func started() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 3)
            let consumer = channel.consume(queue)
            try await consumer.start()
            #expect(try await watcher.declareQueuePassively(queue).consumerCount == 1)
            try await consumer.start()
            #expect(try await watcher.declareQueuePassively(queue).consumerCount == 1)
            var bodies: [String?] = []
            for try await delivery in consumer {
                bodies.append(delivery.text)
                try await delivery.ack()
                if bodies.count == 3 { break }
            }
            #expect(bodies == ["0", "1", "2"])
            try await eventually { try await watcher.declareQueuePassively(queue).consumerCount == 0 }
        }
    }

    @Test("a request over direct reply-to leaves as soon as the consumer of its replies is started")
    func directReplyTo() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, _ in
            for _ in 0..<50 {
                let channel = try await connection.openChannel()
                let requests = try await channel.makeQueue()
                let replies = channel.consume("amq.rabbitmq.reply-to", noAck: true)
                try await replies.start()
                var properties = AMQPProperties()
                properties.replyTo = "amq.rabbitmq.reply-to"
                try await channel.publish("ping", routingKey: requests, properties: properties)
                let request = try #require(try await channel.get(requests, noAck: true))
                let address = try #require(request.properties.replyTo)
                try await channel.send("pong", routingKey: address.string)
                var iterator = replies.makeAsyncIterator()
                #expect(try await iterator.next()?.text == "pong")
                try await channel.close()
            }
        }
    }

    @Test("a start that the broker refuses says why")
    func refused() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let consumer = channel.consume(uniqueName("missing"))
            let error = await #expect(throws: AMQPError.self) { try await consumer.start() }
            #expect(error?.replyCode == 404)
        }
    }

    @Test("a started consumer that nobody holds is cancelled, and what it was sent goes back")
    func letGo() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 5)
            try await channel.consume(queue).start()
            try await eventually { try await watcher.declareQueuePassively(queue).consumerCount == 0 }
            try await watcher.expectMessages(5, in: queue)
            #expect(connection.leftovers == 0)
        }
    }

    @Test("a loop that begins after cancel ends at once, and the broker is not asked")
    func cancelledBefore() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await fill(channel, 5)
            let consumer = channel.consume(queue)
            try await consumer.cancel()
            for _ in 0..<2 {
                for try await _ in consumer { Issue.record("a cancelled consumer delivers") }
            }
            #expect(connection.statistics.messagesReceived == 0)
            let error = await #expect(throws: AMQPError.self) { try await consumer.start() }
            #expect(error?.code == .closed)
        }
    }

    @Test(
        "cancel at any moment of the start ends the loop, and leaves the broker nothing",
        .disabled("A loop that is cancelled while its consumer starts was seen to wait for ever on a busy machine."),
        arguments: [false, true]
    )
    func cancelledWhileStarting(noWait: Bool) async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 20)
            for turn in 0..<40 {
                let consumer = channel.consume(queue, prefetchCount: 3)
                let reader = Task { for try await _ in consumer {} }
                for _ in 0..<turn { await Task.yield() }
                try await consumer.cancel(noWait: noWait)
                try await reader.value
            }
            try await eventually { try await watcher.declareQueuePassively(queue).consumerCount == 0 }
            try await watcher.expectMessages(20, in: queue)
            #expect(channel.isOpen)
            #expect(connection.leftovers == 0)
        }
    }

    @Test("several loops over one consumer share its deliveries, each once, and end together")
    func workPool() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await fill(channel, 300)
            let consumer = channel.consume(queue, prefetchCount: 20)
            let seen = Shared<[Int: Int]>([:])
            let workers = Shared<Set<Int>>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        for try await delivery in consumer {
                            let number = try #require(delivery.text.flatMap { Int($0) })
                            seen.withLock { $0[number, default: 0] += 1 }
                            workers.withLock { _ = $0.insert(worker) }
                            try await delivery.ack()
                            await Task.yield()
                        }
                    }
                }
                try await eventually { seen.withLock { $0.count } == 300 }
                #expect(try await channel.declareQueuePassively(queue).consumerCount == 1)
                try await consumer.cancel()
                try await group.waitForAll()
            }
            #expect(seen.withLock { $0.values.max() } == 1)
            #expect(workers.withLock { $0.count } > 1)
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
        }
    }

    @Test("copies of an iterator read in several tasks, and none waits for ever")
    func copies() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let consumer = channel.consume(queue)
            let iterator = consumer.makeAsyncIterator()
            let readers = (0..<3).map { _ in
                Task { [iterator] in
                    var copy = iterator
                    var count = 0
                    while let delivery = try await copy.next() {
                        try await delivery.ack()
                        count += 1
                    }
                    return count
                }
            }
            try await eventually { try await channel.declareQueuePassively(queue).consumerCount == 1 }
            for number in 0..<30 { try await channel.publish("\(number)", routingKey: queue) }
            try await eventually { try await channel.declareQueuePassively(queue).messageCount == 0 }
            try await eventually {
                channel.driver.state.withLock { $0.core.channel(channel.record.number ?? 0)?.deliveries.outstanding }
                    == 0
            }
            try await consumer.cancel()
            var total = 0
            for reader in readers { total += try await reader.value }
            #expect(total == 30)
        }
    }

    @Test("a reader whose task is cancelled leaves the others what comes")
    func oneLeaves() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let consumer = channel.consume(queue)
            let taken = Shared(0)
            func reader() -> Task<Void, any Error> {
                Task {
                    for try await delivery in consumer {
                        try await delivery.ack()
                        taken.withLock { $0 += 1 }
                    }
                }
            }
            let (first, second) = (reader(), reader())
            try await consumer.start()
            first.cancel()
            try await first.value
            for _ in 0..<10 { try await channel.publish("x", routingKey: queue) }
            try await eventually { taken.withLock { $0 } == 10 }
            #expect(try await channel.declareQueuePassively(queue).consumerCount == 1)
            second.cancel()
            try await second.value
            try await eventually { try await channel.declareQueuePassively(queue).consumerCount == 0 }
            #expect(connection.leftovers == 0)
        }
    }

    @Test("readers that come while another starts the consumer are there when it is, and fail when it fails")
    func startedOnce() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let consumer = channel.consume(queue)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await consumer.start() } }
                try await group.waitForAll()
            }
            #expect(try await channel.declareQueuePassively(queue).consumerCount == 1)
            let missing = channel.consume(uniqueName("missing"))
            let readers = (0..<4).map { _ in Task { for try await _ in missing {} } }
            for reader in readers {
                let error = await #expect(throws: AMQPError.self) { try await reader.value }
                #expect(error?.replyCode == 404)
            }
            #expect(connection.leftovers == 0)
        }
    }
}
