import Testing

@testable import AMQPWire

/// What one channel or one message may cost at RabbitMQ: itself.
@Suite(
    "One bad channel or message",
    .enabled(if: TestBroker.isThere, TestBroker.absence),
    .timeLimit(.minutes(2))
)
struct ChannelFaultTests {
    @Test("the deliveries that RabbitMQ writes behind its channel.close end no connection")
    func deliveriesBehindClose() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let body = [UInt8](repeating: 120, count: 200)
            for _ in 0..<20_000 { try await channel.send(body, routingKey: queue) }
            for _ in 0..<30 {
                let bad = try await connection.openChannel()
                var deliveries = bad.consume(queue, prefetchCount: 0).makeAsyncIterator()
                _ = try await deliveries.next()
                try await bad.send(body, routingKey: queue, properties: AMQPProperties(expiration: "never"))
                let error = await #expect(throws: AMQPError.self) {
                    while try await deliveries.next() != nil {}
                }
                #expect(error?.code == .channelClosed && error?.replyCode == 406)
            }
            #expect(connection.isOpen && channel.isOpen)
        }
    }

    @Test("a header that dead-lettering made longer than the frame size is read", arguments: [UInt32(4_096), 131_072])
    func longHeader(frameMax: UInt32) async throws {
        var configuration = try TestBroker.rabbitmq.configuration
        configuration.limits.frameMax = frameMax
        // All but what a header frame and the table around the text need.
        let text = String(repeating: "x", count: Int(frameMax) - 120)
        try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in
                let dead = try await channel.makeQueue()
                let queue = try await channel.makeQueue(arguments: [
                    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": AMQPFieldValue(dead),
                    "x-message-ttl": 1,
                ])
                let properties = AMQPProperties(headers: ["big": AMQPFieldValue(text)])
                try await channel.publish([1], routingKey: queue, properties: properties)
                for try await delivery in channel.consume(dead) {
                    #expect(delivery.properties.headers?["big"] == AMQPFieldValue(text))
                    #expect(delivery.properties.headers?["x-death"] != nil)
                    break
                }
                #expect(connection.isOpen && channel.isOpen)
            }
        }
    }

    @Test("a message above the limit ends its consumer with an error that names it, once, and is dead-lettered")
    func tooLarge() async throws {
        let events = EventLog()
        var configuration = try AMQPConfiguration.quick(TestBroker.uri, events)
        configuration.maxMessageSize = 100_000
        try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in
                let dead = try await channel.makeQueue()
                let queue = try await channel.makeQueue(arguments: [
                    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": AMQPFieldValue(dead),
                ])
                try await channel.publish([UInt8](repeating: 1, count: 100_001), routingKey: queue)
                try await channel.publish([2], routingKey: queue)
                let error = await #expect(throws: AMQPError.self) {
                    for try await delivery in channel.consume(queue, prefetchCount: 1) { try await delivery.ack() }
                }
                #expect(error?.code == .unreadableMessage)
                #expect(error?.message.contains("routing key '\(queue)'") == true)
                #expect(error?.message.contains("100001 bytes") == true)
                // The next loop gets what comes behind it.
                for try await delivery in channel.consume(queue) {
                    #expect(delivery.body == [2])
                    try await delivery.ack()
                    break
                }
                try await channel.expectMessages(1, in: dead)
                let failed = await #expect(throws: AMQPError.self) { try await channel.get(dead) }
                #expect(failed?.code == .unreadableMessage)
                #expect(try await channel.get(dead) == nil)
                #expect(channel.isOpen)
            }
        }
        // Events are told in order, but not before close returns.
        try await eventually { events.lines == ["connected", "closed"] }
    }

    @Test("a channel beyond the user's limit is the caller's error, once, and the others come back")
    func channelLimit() async throws {
        let user = uniqueName("limited").replacing("-", with: "")
        _ = try await TestBroker.ctl("add_user", user, "secret")
        _ = try await TestBroker.ctl("set_permissions", user, ".*", ".*", ".*")
        _ = try await TestBroker.ctl("set_user_limits", user, #"{"max-channels": 3}"#)
        let events = EventLog()
        do {
            let uri = "amqp://\(user):secret@127.0.0.1:\(TestBroker.port ?? 1)"
            let connection = try await AMQPConnection.connect(.quick(uri, events))
            var channels: [AMQPChannel] = []
            for _ in 0..<3 { channels.append(try await connection.openChannel()) }
            let error = await #expect(throws: AMQPError.self) { try await connection.openChannel() }
            #expect(error?.code == .tooManyChannels && error?.replyCode == 530)
            await events.wait(for: "recovered")
            for channel in channels { try await channel.publish("x", routingKey: "nowhere") }
            #expect(events.lines.count { $0.hasPrefix("reconnecting") } == 1)
            try await channels.removeLast().close()
            try await connection.openChannel().close()
            await connection.close()
        }
        _ = try await TestBroker.ctl("delete_user", user)
    }
}
