import Testing

@testable import AMQPWire

/// What a channel tells of itself.
@Suite("Events of a channel", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct ChannelEventTests {
    private static func told(_ event: AMQPEvent) -> String {
        switch event.kind {
        case .returned: event.returned?.message.text ?? ""
        case .consumerCancelled: event.consumerTag ?? ""
        case .channelClosed: "\(event.error?.replyCode ?? 0)"
        default: "something else"
        }
    }

    @Test("messages that come back, consumers that the broker ends and the channel's end are told to it alone, by name")
    func all() async throws {
        let heard = Shared<[(AMQPChannelID, String)]>([])
        var configuration = try TestBroker.rabbitmq.configuration
        configuration.onEvent = { event in
            guard let channel = event.channel else { return }
            heard.withLock { $0.append((channel, Self.told(event))) }
        }
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let other = try await connection.openChannel()
            #expect(channel.id != other.id)
            let (events, others) = (channel.events, other.events)
            let queue = try await other.makeQueue()
            let consumer = channel.consume(queue, consumerTag: "mine")
            try await consumer.start()
            try await channel.send("back", routingKey: uniqueName("nowhere"), mandatory: true)
            _ = try await channel.get(queue)
            try await other.deleteQueue(queue)
            await #expect(throws: AMQPError.self) { for try await _ in consumer {} }
            await #expect(throws: AMQPError.self) { try await channel.declareQueuePassively(uniqueName("missing")) }
            var told: [String] = []
            for await event in events {
                #expect(event.channel == channel.id)
                told.append(Self.told(event))
            }
            #expect(told == ["back", "mine", "404"])
            // Told by another thread, maybe a little later.
            try await eventually { heard.withLock { $0.count } == told.count }
            #expect(heard.withLock { $0.map(\.1) } == told)
            #expect(heard.withLock { $0.allSatisfy { $0.0 == channel.id } })
            try await other.close()
            var iterator = others.makeAsyncIterator()
            #expect(await iterator.next() == nil)
            // One who comes late hears of the end as well.
            #expect(try await channel.waitUntilClosed()?.replyCode == 404)
            #expect(try await other.waitUntilClosed() == nil)
        }
    }

    @Test("the end of a channel can be awaited, and waiting be cancelled")
    func awaited() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let other = try await connection.openChannel()
            let waiting = Task { try await other.waitUntilClosed() }
            let cancelled = Task { try await other.waitUntilClosed() }
            for _ in 0..<10 { await Task.yield() }
            cancelled.cancel()
            let error = await #expect(throws: AMQPError.self) { try await cancelled.value }
            #expect(error?.code == .cancelled)
            await #expect(throws: AMQPError.self) {
                try await other.publish("x", exchange: uniqueName("missing"), routingKey: "")
            }
            #expect(try await waiting.value?.replyCode == 404)
            let more = Task { try await channel.waitUntilClosed() }
            await connection.close()
            #expect(try await more.value == nil)
        }
    }
}
