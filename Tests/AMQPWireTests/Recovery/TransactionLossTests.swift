import Testing

@testable import AMQPWire

/// Commits and rollbacks that their caller gave up before they left, with a played broker.
@Suite("A transaction whose end was given up before it left", .timeLimit(.minutes(1)))
struct TransactionLossTests {
    let events = EventLog()

    /// A channel with a publish in its transaction, and a call that keeps what comes after it waiting.
    private func connect(_ broker: PlayedBroker) async throws -> (AMQPChannel, Task<AMQPDeclaredQueue, any Error>) {
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.selectTransactions()
        try await channel.publish("m", routingKey: "q")
        let slow = Task { try await channel.declareQueue("slow") }
        try await eventually { broker.calls(0).contains("queue.declare slow") }
        return (channel, slow)
    }

    private func slowBroker() throws -> PlayedBroker {
        try PlayedBroker { connection, request in
            connection == 0 && request.description == "queue.declare slow" ? .silence : .answer
        }
    }

    /// Cancels a call that waits for its turn behind another.
    private func giveUp(_ channel: AMQPChannel, _ call: @escaping @Sendable () async throws -> Void) async throws {
        let task = Task { try await call() }
        try await channel.driver.untilWaiting(2) { if case .call = $0 { true } else { false } }
        task.cancel()
        let error = await #expect(throws: AMQPError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }

    @Test("is still known to be lost with its connection: the next commit says so")
    func commit() async throws {
        let broker = try slowBroker()
        let (channel, slow) = try await connect(broker)
        try await giveUp(channel) { try await channel.commit() }
        broker.cut()
        _ = await slow.result
        await events.wait(for: "recovered")
        let error = await #expect(throws: AMQPError.self) { try await channel.commit() }
        #expect(error?.code == .connectionLost && error?.delivery == .notSent)
        #expect(broker.calls(1).suffix(1) == ["tx.rollback"])
    }

    @Test("is rolled back all the same, once the calls before are answered")
    func rollback() async throws {
        let broker = try slowBroker()
        let (channel, slow) = try await connect(broker)
        try await giveUp(channel) { try await channel.rollback() }
        broker.say(.queueDeclareOk("slow"), channel: 1)
        _ = try await slow.value
        try await channel.commit()
        #expect(broker.calls(0).suffix(2) == ["tx.rollback", "tx.commit"])
    }
}
