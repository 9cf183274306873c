import Testing

@testable import AMQPWire

/// Consuming, and where messages are afterwards.
@Suite("Consuming", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct ConsumingTests {
    private func fill(_ channel: AMQPChannel, _ count: Int) async throws -> String {
        let queue = try await channel.makeQueue()
        for number in 0..<count { try await channel.submit(Array("\(number)".utf8), routingKey: queue) }
        try await channel.waitForConfirms()
        return queue
    }

    @Test("leaving the loop puts what was not taken back into the queue, in order", arguments: TestBroker.steady)
    func leaving(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await fill(channel, 50)
            let watcher = try await connection.openChannel()
            for try await delivery in channel.consume(queue, prefetchCount: 20) {
                try await delivery.ack()
                break
            }
            try await watcher.expectMessages(49, in: queue)
            // GarageMQ does not keep their order.
            if broker == .garagemq { return }
            #expect(try await watcher.declareQueuePassively(queue).consumerCount == 0)
            for number in 1..<50 {
                #expect(try await watcher.get(queue, noAck: true)?.body == Array("\(number)".utf8))
            }
            #expect(channel.isOpen)
        }
    }

    @Test("leaving the loop of a consumer without acknowledgements leaves the channel open")
    func leavingNoAck() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            for _ in 0..<10 {
                let queue = try await fill(channel, 500)
                for try await _ in channel.consume(queue, noAck: true) { break }
                try await eventually { try await channel.declareQueuePassively(queue).consumerCount == 0 }
                try await channel.deleteQueue(queue)
            }
            #expect(channel.isOpen)
            try await eventually { connection.leftovers == 0 }
        }
    }

    @Test("what a cancelled consumer without acknowledgements was sent can still be taken")
    func cancelNoAck() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await fill(channel, 100)
            let consumer = channel.consume(queue, noAck: true)
            var iterator = consumer.makeAsyncIterator()
            _ = try await iterator.next()
            try await eventually { connection.statistics.messagesReceived == 100 }
            try await consumer.cancel()
            var count = 1
            while try await iterator.next() != nil { count += 1 }
            #expect(count == 100)
        }
    }

    @Test("cancel ends the loop, and what was not taken goes back", arguments: TestBroker.steady)
    func cancel(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 30)
            let consumer = channel.consume(queue, prefetchCount: 10)
            var taken = 0
            for try await delivery in consumer {
                taken += 1
                try await delivery.ack()
                if taken == 3 { try await consumer.cancel() }
            }
            try await watcher.expectMessages(UInt32(30 - taken), in: queue)
            #expect(taken >= 3 && taken < 14)
            try await consumer.cancel()
        }
    }

    @Test("messages that come while the consumer is being cancelled go back")
    func cancelUnderLoad() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await watcher.makeQueue()
            let taken = Shared(0)
            let publisher = Task {
                for number in 0..<3_000 { try await watcher.submit([UInt8(number & 255)], routingKey: queue) }
                try await watcher.waitForConfirms()
            }
            for _ in 0..<20 {
                let limit = Int.random(in: 1...20)
                var count = 0
                for try await delivery in channel.consume(queue, prefetchCount: 50) {
                    try await delivery.ack()
                    taken.withLock { $0 += 1 }
                    count += 1
                    if count == limit { break }
                }
            }
            try await publisher.value
            try await watcher.expectMessages(UInt32(3_000 - taken.withLock { $0 }), in: queue)
        }
    }

    @Test("a cancelled task leaves the loop at once, whatever is there to be taken")
    func cancelledTask() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 100)
            let task = Task {
                var taken = 0
                for try await delivery in channel.consume(queue, prefetchCount: 100) {
                    try await delivery.ack()
                    taken += 1
                    if taken == 5 {
                        try await eventually { connection.statistics.messagesReceived == 100 }
                        withUnsafeCurrentTask { $0?.cancel() }
                    }
                }
                return taken
            }
            #expect(try await task.value == 5)
            try await watcher.expectMessages(95, in: queue)
            #expect(connection.leftovers == 0)
        }
    }

    @Test("a reader that waits ends when its task is cancelled", arguments: TestBroker.steady)
    func cancelledReader(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            for _ in 0..<20 {
                let task = Task { for try await _ in channel.consume(queue) {} }
                // The broker counts it before we hear that it has: a start that is cancelled throws.
                try await eventually {
                    channel.driver.state.withLock { _ in channel.record.consumers.values.map(\.isStarted) } == [true]
                }
                task.cancel()
                try await task.value
                try await eventually { try await watcher.declareQueuePassively(queue).consumerCount == 0 }
            }
            #expect(connection.leftovers == 0)
            let consumers = channel.driver.state.withLock { _ in channel.record.consumers.count }
            #expect(consumers == 0)
        }
    }

    @Test("a consumer whose start is cancelled is not left with the broker")
    func cancelledStart() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 100)
            for _ in 0..<50 {
                let task = Task {
                    for try await delivery in channel.consume(queue) {
                        try await delivery.nack()
                        break
                    }
                }
                for _ in 0..<Int.random(in: 0...8) { await Task.yield() }
                task.cancel()
                _ = await task.result
            }
            try await watcher.expectMessages(100, in: queue)
            try await eventually { try await watcher.declareQueuePassively(queue).consumerCount == 0 }
            #expect(channel.isOpen)
            try await eventually { connection.leftovers == 0 }
        }
    }

    @Test("a queue that is deleted ends its consumer with the reason, and the channel goes on")
    func cancelledByBroker() async throws {
        let (events, continuation) = AsyncStream.makeStream(of: String.self)
        var configuration = try TestBroker.rabbitmq.configuration
        configuration.onEvent = { event in
            if event.kind == .consumerCancelled, let tag = event.consumerTag, let queue = event.queue {
                continuation.yield("\(tag) \(queue)")
            }
        }
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let other = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            let reader = Task { for try await _ in channel.consume(queue, consumerTag: "mine") {} }
            try await eventually { try await other.declareQueuePassively(queue).consumerCount == 1 }
            try await other.deleteQueue(queue)
            let error = await #expect(throws: AMQPError.self) { try await reader.value }
            #expect(error?.code == .consumerCancelled)
            #expect(error?.message.contains("'mine'") == true)
            #expect(error?.message.contains(queue) == true)
            for await event in events {
                #expect(event == "mine \(queue)")
                break
            }
            // Had the cancel been answered, the broker would end the connection.
            try await channel.makeQueue()
        }
    }

    @Test("no more than the prefetch count is unacknowledged", arguments: TestBroker.steady)
    func prefetch(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 40)
            var iterator = channel.consume(queue, prefetchCount: 7).makeAsyncIterator()
            var held: [AMQPDelivery] = []
            for _ in 0..<7 { held.append(try #require(try await iterator.next())) }
            #expect(try await watcher.declareQueuePassively(queue).messageCount == 33)
            #expect(connection.statistics.messagesReceived == 7)
            try await held[6].ack(multiple: true)
            for _ in 0..<7 { held.append(try #require(try await iterator.next())) }
            #expect(try await watcher.declareQueuePassively(queue).messageCount == 26)
            #expect(held.map { String(decoding: $0.body, as: UTF8.self) } == (0..<14).map { "\($0)" })
        }
    }

    @Test("consumers started at once on one channel keep to their own prefetch counts")
    func prefetchOfEach() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            for _ in 0..<10 {
                let queues = [try await fill(channel, 30), try await fill(channel, 30)]
                let counts: [UInt16] = [3, 20]
                var readers: [Task<Void, any Error>] = []
                for (queue, count) in zip(queues, counts) {
                    readers.append(
                        Task {
                            var held = 0
                            for try await _ in channel.consume(queue, prefetchCount: count) { held += 1 }
                        }
                    )
                }
                let watcher = try await connection.openChannel()
                for (queue, count) in zip(queues, counts) {
                    try await eventually {
                        try await watcher.declareQueuePassively(queue).messageCount <= 30 - UInt32(count)
                    }
                    #expect(try await watcher.declareQueuePassively(queue).messageCount == 30 - UInt32(count))
                }
                for reader in readers { reader.cancel() }
                for reader in readers { _ = await reader.result }
                try await watcher.close()
                for queue in queues { try await channel.deleteQueue(queue) }
            }
        }
    }

    @Test("setQoS holds for consumers that name no count of their own, and for those after one that does")
    func defaultPrefetch() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            try await channel.setQoS(prefetchCount: 4)
            for (count, expected) in [(nil, 26), (10, 20), (nil, 26)] as [(UInt16?, UInt32)] {
                let queue = try await fill(channel, 30)
                var iterator = channel.consume(queue, prefetchCount: count).makeAsyncIterator()
                _ = try await iterator.next()
                try await eventually { try await channel.declareQueuePassively(queue).messageCount <= expected }
                #expect(try await channel.declareQueuePassively(queue).messageCount == expected)
                withExtendedLifetime(iterator) {}
            }
        }
    }

    @Test("a global prefetch count bounds the channel as a whole, or is refused where it would not")
    func globalPrefetch() async throws {
        let isPermitted = RabbitMQRelease.current < RabbitMQRelease(4, 3)
        var configuration = try TestBroker.rabbitmq.configuration
        if !isPermitted {
            try await TestBroker.rabbitmq.withChannel { _, channel in
                let error = await #expect(throws: AMQPError.self) {
                    try await channel.setQoS(prefetchCount: 5, global: true)
                }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("global_qos") == true)
                #expect(channel.isOpen)
            }
            // Sent all the same, the broker says yes and counts each consumer by itself.
            configuration.permitsGlobalQoS = true
        }
        try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in
                let left: UInt32 = isPermitted ? 25 : 20
                let queue = try await fill(channel, 30)
                try await channel.setQoS(prefetchCount: 5, global: true)
                var first = channel.consume(queue, prefetchCount: 0).makeAsyncIterator()
                var second = channel.consume(queue, prefetchCount: 0).makeAsyncIterator()
                _ = try await first.next()
                if !isPermitted { _ = try await second.next() }
                let watcher = try await connection.openChannel()
                try await watcher.expectMessages(left, in: queue)
                let reader = Task { try await channel.declareQueuePassively(queue) }
                #expect(try await reader.value.messageCount == left)
                _ = second
                second = first
            }
        }
    }

    @Test("two consumers share a queue, each message once", arguments: TestBroker.steady)
    func twoConsumers(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await fill(channel, 200)
            let seen = Shared<[String: Int]>([:])
            let readers = (0..<2).map { _ in
                Task {
                    for try await delivery in channel.consume(queue, prefetchCount: 3) {
                        seen.withLock { $0[String(decoding: delivery.body, as: UTF8.self), default: 0] += 1 }
                        try await delivery.ack()
                    }
                }
            }
            try await eventually { seen.withLock { $0.count } == 200 }
            for reader in readers { reader.cancel() }
            for reader in readers { try await reader.value }
            #expect(seen.withLock { $0.values.max() } == 1)
        }
    }

    @Test("the consumer with the higher priority is served first")
    func priority() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            func reader(_ priority: Int32, _ count: Shared<Int>) -> Task<Void, any Error> {
                Task {
                    for try await delivery in channel.consume(queue, priority: priority) {
                        try await delivery.ack()
                        count.withLock { $0 += 1 }
                    }
                }
            }
            let (lowCount, highCount) = (Shared(0), Shared(0))
            let readers = [reader(1, lowCount), reader(10, highCount)]
            try await eventually { try await channel.declareQueuePassively(queue).consumerCount == 2 }
            for _ in 0..<10 { try await channel.publish("x", routingKey: queue) }
            try await eventually { highCount.withLock { $0 } == 10 }
            #expect(lowCount.withLock { $0 } == 0)
            for reader in readers { reader.cancel() }
            for reader in readers { try await reader.value }
        }
    }

    @Test("an exclusive consumer refuses others, with 403")
    func exclusive() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await fill(channel, 1)
            var iterator = channel.consume(queue, exclusive: true).makeAsyncIterator()
            _ = try await iterator.next()
            let other = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) { for try await _ in other.consume(queue) {} }
            #expect(error?.replyCode == 403)
            withExtendedLifetime(iterator) {}
        }
    }

    @Test("without acknowledgements the broker forgets what it sends", arguments: TestBroker.steady)
    func noAck(broker: TestBroker) async throws {
        try await broker.withChannel { _, channel in
            let queue = try await fill(channel, 20)
            var count = 0
            for try await delivery in channel.consume(queue, noAck: true) {
                // Settled already: nothing is sent.
                try await delivery.ack()
                count += 1
                if count == 20 { break }
            }
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
        }
    }

    @Test("two loops over one sequence at a time share no deliveries and leave none behind")
    func again() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await fill(channel, 10)
            let consumer = channel.consume(queue, prefetchCount: 3)
            for number in 0..<10 {
                for try await delivery in consumer {
                    #expect(delivery.body == Array("\(number)".utf8))
                    try await delivery.ack()
                    break
                }
                try await channel.expectMessages(UInt32(9 - number), in: queue)
            }
        }
    }

    @Test("ackAll leaves alone what is on its way, and settling once more does nothing", arguments: TestBroker.allCases)
    func allThatCame(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await fill(channel, 4)
            let first = try #require(try await channel.get(queue))
            let second = try #require(try await channel.get(queue))
            try await second.ack()
            try await channel.ackAll()
            try await channel.ackAll()
            try await first.ack()
            try await second.nack(multiple: true)
            let third = try #require(try await channel.get(queue))
            try await third.reject()
            try await third.ack(multiple: true)
            // The channel is alive, and the two that are not settled are there.
            try await channel.expectMessages(2, in: queue)
            #expect(channel.isOpen)
        }
    }

    @Test("ackAll and nackAll settle what waits to be taken, too, and leaving the loop knows it")
    func allAtOnce() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await fill(channel, 10)
            do {
                var iterator = channel.consume(queue).makeAsyncIterator()
                _ = try await iterator.next()
                try await eventually { connection.statistics.messagesReceived == 10 }
                try await channel.ackAll()
            }
            try await channel.setFlow(active: true)
            #expect(channel.isOpen)
            #expect(try await watcher.declareQueuePassively(queue).messageCount == 0)
        }
    }
}
