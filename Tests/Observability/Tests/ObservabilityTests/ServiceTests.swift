import AMQPWire
import AMQPWireService
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import Testing

@Suite("Services", .timeLimit(.minutes(1)))
struct ServiceTests {
    @Test(
        "a shutdown lets the delivery in hand be handled, gives the others back, and closes",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func shutdown() async throws {
        // Another connection, so that the queue outlives the services.
        try await AMQPConnection.withConnection(TestBroker.uri) { other in
            let channel = try await other.openChannel()
            let queue = try await channel.declareQueue(arguments: ["x-expires": 60_000]).name
            for number in 0..<3 as Range<UInt8> { try await channel.publish([number], routingKey: queue) }

            let amqp = AMQPConnectionService(try AMQPConfiguration(TestBroker.uri))
            let (handling, continuation) = AsyncStream.makeStream(of: [UInt8].self)
            let consumer = AMQPConsumerService(amqp, queue: queue) { delivery in
                continuation.yield(delivery.body)
                try await gracefulShutdown()
                try await delivery.ack()
            }
            let group = ServiceGroup(services: [amqp, consumer], logger: Logger(label: "test"))
            let running = Task { try await group.run() }
            var bodies = handling.makeAsyncIterator()
            #expect(await bodies.next() == [0])
            await group.triggerGracefulShutdown()
            try await running.value
            // A broker puts back what was not acknowledged only after it has said close-ok.
            var count: UInt32 = 0
            for _ in 0..<1_000 where count != 2 { count = try await channel.declareQueuePassively(queue).messageCount }
            #expect(count == 2)
            #expect(try await channel.get(queue, noAck: true)?.body == [1])
            try await channel.deleteQueue(queue)
            let error = await #expect(throws: AMQPError.self) { _ = try await amqp.connection }
            #expect(error?.code == .closed)
        }
    }

    @Test("a connection that cannot be made ends the service, and those who wait for it")
    func unreachable() async throws {
        var configuration = try AMQPConfiguration("amqp://127.0.0.1:1")
        configuration.recovery = nil
        let amqp = AMQPConnectionService(configuration)
        let waiting = Task { try await amqp.connection }
        let error = await #expect(throws: AMQPError.self) { try await amqp.run() }
        #expect(error?.code == .unreachable)
        let heard = await #expect(throws: AMQPError.self) { _ = try await waiting.value }
        #expect(heard?.code == .unreachable)
    }

    @Test("a shutdown ends attempts to connect")
    func whileConnecting() async throws {
        let (attempts, continuation) = AsyncStream.makeStream(of: Void.self)
        var configuration = try AMQPConfiguration("amqp://127.0.0.1:1")
        configuration.recovery = .init(firstPause: .seconds(3_600), retriesFirstConnect: true)
        configuration.onEvent = { event in
            if event.kind == .reconnecting { continuation.yield() }
        }
        let amqp = AMQPConnectionService(configuration)
        try await testGracefulShutdown { trigger in
            let running = Task { try await amqp.run() }
            for await _ in attempts { break }
            trigger.triggerGracefulShutdown()
            try await running.value
        }
    }

    @Test("whoever waits for the connection can be cancelled")
    func cancelled() async throws {
        let amqp = AMQPConnectionService(AMQPConfiguration())
        let waiting = Task { try await amqp.connection }
        waiting.cancel()
        let error = await #expect(throws: AMQPError.self) { _ = try await waiting.value }
        #expect(error?.code == .cancelled)
    }

    @Test(
        "a connection that is closed for good ends the service with the error",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func lost() async throws {
        var configuration = try AMQPConfiguration(TestBroker.uri)
        configuration.recovery = nil
        let amqp = AMQPConnectionService(configuration)
        let running = Task { try await amqp.run() }
        let channel = try await amqp.connection.openChannel()
        // Not implemented by RabbitMQ (540), which closes the connection.
        _ = try? await channel.setFlow(active: false)
        let error = await #expect(throws: AMQPError.self) { try await running.value }
        #expect(error?.code == .connectionClosed)
    }
}
