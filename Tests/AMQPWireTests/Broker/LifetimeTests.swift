import Testing

@testable import AMQPWire

/// What lives how long where nobody closes anything.
@Suite("Lifetimes", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct LifetimeTests {
    @Test("a channel keeps the connection alive that nobody else holds")
    func connectionOfAChannel() async throws {
        let channel = try await AMQPConnection.connect(TestBroker.uri).openChannel()
        let queue = try await channel.makeQueue()
        try await channel.publish("x", routingKey: queue)
        #expect(try await channel.get(queue) != nil)
    }

    @Test("consumers, deliveries, receipts and prepared publishers keep their channel alive")
    func channelOfOthers() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let publisher = try await connection.openChannel().publisher(routingKey: queue)
            try await publisher.publish([1])
            try await publisher.publish([2])
            let receipt = try await connection.openChannel().submit([3], routingKey: queue)
            try await receipt.confirmed()
            let delivery = try #require(try await connection.openChannel().get(queue))
            #expect(delivery.body == [1])
            let consumer = try await connection.openChannel().consume(queue)
            for try await next in consumer {
                try await next.ack()
                if next.body == [3] { break }
            }
            try await delivery.ack()
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
        }
    }

    @Test("channels that nobody holds are closed, and leave nothing behind")
    func channelsLetGo() async throws {
        try await AMQPConnection.withConnection(TestBroker.uri + "?channel_max=4") { connection in
            for _ in 0..<100 {
                try await eventually {
                    do throws(AMQPError) {
                        _ = try await connection.openChannel()
                        return true
                    } catch {
                        // Its close is not answered yet.
                        guard error.code == .tooManyChannels else { throw error }
                        return false
                    }
                }
            }
            try await eventually { connection.driver.state.withLock { $0.core.channels.allSatisfy { $0 == nil } } }
            #expect(connection.leftovers == 0)
            let channels = connection.driver.state.withLock { $0.channels.count + $0.channelsByNumber.count }
            #expect(channels == 0)
        }
    }

    @Test("a connection that nobody holds is closed, with a word to the broker")
    func connectionLetGo() async throws {
        let (methods, continuation) = AsyncStream.makeStream(of: AMQPMethodID?.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            continuation.yield(try peer.frame().methodID)
            continuation.finish()
        }
        _ = try await AMQPConnection.connect(peer.configuration)
        var iterator = methods.makeAsyncIterator()
        #expect(await iterator.next() == .connectionClose)
    }
}
