import Testing

@testable import AMQPWire

/// Consumers whose broker is away, or comes back otherwise, with a played broker.
@Suite("Consumers and lost connections", .timeLimit(.minutes(1)))
struct ConsumerLossTests {
    let events = EventLog()

    /// A connection whose broker is away, with a consumer that was started before.
    private func away(noAck: Bool = false) async throws -> (PlayedBroker, AMQPConnection, AMQPConsumer) {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events) { configuration in
                configuration.callTimeout = .seconds(600)
                configuration.recovery?.longestPause = .seconds(600)
                configuration.recovery?.firstPause = .seconds(600)
            }
        )
        let channel = try await connection.openChannel()
        let consumer = channel.consume("q", noAck: noAck, consumerTag: "c")
        try await consumer.start()
        broker.stopListening()
        broker.cut()
        await events.wait(for: "reconnecting")
        return (broker, connection, consumer)
    }

    @Test("cancel while the broker is away ends the reader at once", arguments: [false, true])
    func cancelWhileAway(noAck: Bool) async throws {
        let (_, connection, consumer) = try await away(noAck: noAck)
        let reader = Task { for try await _ in consumer {} }
        for _ in 0..<10 { await Task.yield() }
        try await consumer.cancel()
        try await reader.value
        await connection.close()
    }

    @Test("cancel ends a loop whose start waits for the broker to come back")
    func cancelBeforeStartWhileAway() async throws {
        let (_, connection, consumer) = try await away()
        let other = consumer.source.channel.consume("q2")
        let reader = Task { for try await _ in other {} }
        let starter = Task { try await other.start() }
        try await connection.driver.untilWaiting(1)
        try await other.cancel()
        try await reader.value
        _ = await starter.result
        #expect(connection.driver.state.withLock { $0.core.waiters.all { $0 != .pause }.count } == 0)
        await connection.close()
    }

    @Test("a consumer cancelled while the broker was away is not started on the next connection")
    func notResumed() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let consumer = channel.consume("q", consumerTag: "c")
        try await consumer.start()
        broker.stopListening()
        broker.cut()
        await events.wait(for: "reconnecting")
        try await consumer.cancel()
        try broker.listenAgain()
        await events.wait(for: "recovered")
        _ = try await channel.get("sync")
        #expect(!broker.calls(1).contains("basic.consume q c"))
        await connection.close()
    }

    @Test("cancel does not make the reader wait for a broker that does not answer")
    func silentBroker() async throws {
        let broker = try PlayedBroker { _, request in request.name == "basic.cancel" ? .silence : .answer }
        let connection = try await AMQPConnection.connect(AMQPConfiguration(broker.uri))
        let channel = try await connection.openChannel()
        let consumer = channel.consume("q", consumerTag: "c")
        try await consumer.start()
        let reader = Task { for try await _ in consumer {} }
        let canceller = Task { try await consumer.cancel() }
        try await reader.value
        canceller.cancel()
        let error = await #expect(throws: AMQPError.self) { try await canceller.value }
        #expect(error?.code == .cancelled)
        await connection.close()
    }

    @Test("a loop over a queue that came back under another name asks for that name", arguments: [false, true])
    func renamed(isSecond: Bool) async throws {
        let broker = try PlayedBroker { connection, request in
            guard isSecond, connection == 0, request.name == "basic.consume" else { return .answer }
            return .send([
                PlayedMethod(id: (60, 21), arguments: PlayedMethod.string("c")),
                .deliver("m", to: "c", tag: 1),
            ])
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(exclusive: true).name
        #expect(queue == "amq.gen-0")
        let consumer = channel.consume(queue, consumerTag: "c")
        if isSecond {
            for try await delivery in consumer {
                try await delivery.ack()
                break
            }
        }
        broker.cut()
        await events.wait(for: "recovered")
        try await consumer.start()
        #expect(broker.calls(1).last == "basic.consume amq.gen-1 c")
        await connection.close()
    }

    @Test("a start that goes down with its connection is made on the next")
    func lostStart() async throws {
        let broker = try PlayedBroker { connection, request in
            connection == 0 && request.name == "basic.consume" ? .cut : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let consumer = channel.consume("q", consumerTag: "c")
        try await consumer.start()
        #expect(broker.calls(1).contains("basic.consume q c"))
        #expect(broker.calls(1).filter { $0.hasPrefix("basic.consume") }.count == 1)
        await connection.close()
    }

    @Test("requests that are pending fail when the connection is lost, and later ones do not")
    func pendingRequests() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let client = try await AMQPRPCClient.open(on: connection)
        let pending = (0..<5).map { _ in Task { try await client.call("ping", routingKey: "q") } }
        try await eventually { broker.calls(0).count { $0 == "basic.publish ping" } == 5 }
        broker.cut()
        for call in pending {
            let error = await #expect(throws: AMQPError.self) { try await call.value }
            #expect(error?.code == .connectionLost && error?.delivery == .unknown)
        }
        await events.wait(for: "recovered")
        let later = Task { try await client.call("again", routingKey: "q") }
        try await eventually { broker.calls(1).contains("basic.publish again") }
        later.cancel()
        let error = await #expect(throws: AMQPError.self) { try await later.value }
        #expect(error?.code == .cancelled)
        #expect(connection.leftovers == 0)
        await connection.close()
    }
}
