import Testing

@testable import AMQPWire

/// Deliveries that come faster than they are taken, with a played broker.
@Suite("Deliveries that nobody takes", .timeLimit(.minutes(1)))
struct DeliveryStockTests {
    private static let count = 100
    private static let body = String(repeating: "x", count: 100_000)
    private static let mark = 300_000

    /// A broker that delivers more than sockets hold as soon as somebody consumes as "eager", and then something to "idle".
    private func flood() throws -> PlayedBroker {
        try PlayedBroker { _, request in
            guard request.description == "basic.consume q eager" else { return .answer }
            var methods = [PlayedMethod(id: (60, 21), arguments: PlayedMethod.string("eager"))]
            for tag in 1...Self.count { methods.append(.deliver(Self.body, to: "eager", tag: UInt64(tag))) }
            methods.append(.deliver("last", to: "idle", tag: UInt64(Self.count + 1)))
            return .send(methods)
        }
    }

    private func connect(_ broker: PlayedBroker) async throws -> (AMQPConnection, AMQPChannel) {
        var configuration = try AMQPConfiguration(broker.uri)
        configuration.deliveryHighWaterMark = Self.mark
        let connection = try await AMQPConnection.connect(configuration)
        return (connection, try await connection.openChannel())
    }

    @Test("are left in the socket above the mark, and read as those before are taken", arguments: [false, true])
    func paused(noAck: Bool) async throws {
        let broker = try flood()
        let (connection, channel) = try await connect(broker)
        let consumer = channel.consume("q", prefetchCount: 0, noAck: noAck, consumerTag: "eager")
        var deliveries = consumer.makeAsyncIterator()
        _ = try await deliveries.next()
        let driver = connection.driver
        try await eventually { driver.state.withLock { $0.isReadingPaused } }
        // The mark, one reading of the socket and a delivery.
        #expect(driver.state.withLock { _ in driver.stock.octets } < Self.mark + 65_536 + 100_512)
        #expect(connection.statistics.messagesReceived < 10)
        for number in 2...Self.count { #expect(try await deliveries.next()?.deliveryTag == UInt64(number)) }
        #expect(driver.state.withLock { _ in driver.stock.octets } == 0)
        #expect(!driver.state.withLock { $0.isReadingPaused })
        await connection.close()
    }

    @Test("do not keep the answer to a call away, nor the end")
    func call() async throws {
        let broker = try flood()
        let (connection, channel) = try await connect(broker)
        var deliveries = channel.consume("q", noAck: true, consumerTag: "eager").makeAsyncIterator()
        _ = try await deliveries.next()
        try await eventually { connection.driver.state.withLock { $0.isReadingPaused } }
        _ = try await channel.get("sync")
        #expect(connection.statistics.messagesReceived == UInt64(Self.count) + 1)
        // What is answered leaves as much waiting as there was before.
        #expect(connection.driver.state.withLock { $0.isReadingPaused })
        await connection.close()
        #expect(connection.driver.state.withLock { _ in connection.driver.stock.octets } == 0)
    }

    @Test("do not keep away what another reader waits for")
    func otherReader() async throws {
        let broker = try flood()
        let (connection, channel) = try await connect(broker)
        let reader = Task { () -> [UInt8]? in
            for try await delivery in channel.consume("q", noAck: true, consumerTag: "idle") { return delivery.body }
            return nil
        }
        try await channel.awaitConsumer("idle")
        var deliveries = channel.consume("q", noAck: true, consumerTag: "eager").makeAsyncIterator()
        _ = try await deliveries.next()
        #expect(try await reader.value == Array("last".utf8))
        await connection.close()
    }

    @Test("count no more once their reader is gone", arguments: [false, true])
    func abandoned(noAck: Bool) async throws {
        let broker = try flood()
        let (connection, channel) = try await connect(broker)
        let driver = connection.driver
        do {
            var deliveries = channel.consume("q", noAck: noAck, consumerTag: "eager").makeAsyncIterator()
            _ = try await deliveries.next()
            try await eventually { driver.state.withLock { $0.isReadingPaused } }
        }
        #expect(driver.state.withLock { _ in driver.stock.octets == 0 && driver.stock.waitingReaders == 0 })
        try await eventually { connection.statistics.messagesReceived == UInt64(Self.count) + 1 }
        await connection.close()
    }
}
