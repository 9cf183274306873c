import Synchronization
import Testing

@testable import AMQPWire

/// Starts that come to nothing, and ends that cross something, with a played broker.
@Suite("Consumers that start or end while something else is under way", .timeLimit(.minutes(1)))
struct ConsumerStartTests {
    let events = EventLog()

    private static func consumeOk(_ tag: String) -> PlayedMethod {
        PlayedMethod(id: (60, 21), arguments: PlayedMethod.string(tag))
    }

    @Test("what was delivered to a start that was given up goes back to its queue")
    func startGivenUp() async throws {
        let broker = try PlayedBroker { _, request in request.name == "basic.consume" ? .silence : .answer }
        let connection = try await AMQPConnection.connect(AMQPConfiguration(broker.uri))
        let channel = try await connection.openChannel()
        let steps = SteppedExecutor()
        let hasEnded = Signal()
        let reader = Task(executorPreference: steps) {
            defer { hasEnded.set() }
            for try await _ in channel.consume("q", consumerTag: "c") {}
        }
        try await eventually {
            steps.runAll()
            guard broker.calls(0).contains("basic.consume q c") else { return false }
            return channel.driver.state.withLock { state in state.parked.contains { $0 != nil } }
        }
        // The reader gives up, but does not get to it before the delivery is there.
        reader.cancel()
        broker.say(Self.consumeOk("c"), channel: 1)
        broker.say(.deliver("m", to: "c", tag: 1), channel: 1)
        try await eventually { connection.statistics.messagesReceived == 1 }
        try await eventually {
            steps.runAll()
            return hasEnded.isSet
        }
        try await reader.value0()
        _ = try await channel.get("sync")
        #expect(broker.calls(0).suffix(3) == ["basic.cancel c", "basic.nack", "basic.get sync"])
        #expect(channel.driver.state.withLock { $0.core.channel(1)?.deliveries.outstanding } == 0)
        await connection.close()
    }

    @Test("a start that is cancelled leaves its neighbour the prefetch count that both want")
    func prefetchOfTwo() async throws {
        let broker = try PlayedBroker { _, request in
            request.description == "queue.declare slow" ? .silence : .answer
        }
        let connection = try await AMQPConnection.connect(AMQPConfiguration(broker.uri))
        let channel = try await connection.openChannel()
        let slow = Task { try await channel.declareQueue("slow") }
        try await eventually { broker.calls(0).contains("queue.declare slow") }
        var readers: [Task<Void, any Error>] = []
        for tag in ["a", "b"] {
            readers.append(
                Task { for try await _ in channel.consume("q", prefetchCount: 5, consumerTag: tag) {} }
            )
            try await eventually {
                channel.driver.state.withLock { _ in channel.record.consumers[AMQPText(tag)] != nil }
            }
        }
        readers[0].cancel()
        try await readers[0].value0()
        broker.say(.queueDeclareOk("slow"), channel: 1)
        _ = try await slow.value
        try await eventually { broker.calls(0).contains("basic.consume q b") }
        #expect(broker.calls(0).suffix(2) == ["basic.qos 5", "basic.consume q b"])
        await connection.close()
        try await readers[1].value0()
    }

    @Test("a reader that leaves while recovery starts its consumer is cancelled when that has started, not before")
    func leftWhileResumed() async throws {
        let broker = try PlayedBroker { connection, request in
            connection == 1 && request.name == "basic.consume" ? .silence : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let reader = Task { for try await _ in channel.consume("q", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        try await eventually { broker.calls(1).contains("basic.consume q c") }
        reader.cancel()
        try await reader.value0()
        await events.wait(for: "recovered")
        // What was to be sent has been sent before this is answered.
        let other = try await connection.openChannel()
        #expect(!broker.calls(1).contains("basic.cancel c"))
        broker.say(Self.consumeOk("c"), channel: 1)
        _ = try await channel.get("sync")
        #expect(broker.calls(1).suffix(2) == ["basic.cancel c", "basic.get sync"])
        #expect(other.isOpen)
        await connection.close()
    }

    @Test("a start that the broker refuses does not take the queue that deletes itself out of the next recovery")
    func refusedStart() async throws {
        let broker = try PlayedBroker { connection, request in
            connection == 0 && request.name == "basic.consume" ? .closeChannel(403, "ACCESS_REFUSED") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let other = try await connection.openChannel()
        try await channel.declareQueue("temporary", autoDelete: true)
        let error = await #expect(throws: AMQPError.self) {
            for try await _ in other.consume("temporary", consumerTag: "c") {}
        }
        #expect(error?.replyCode == 403)
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.calls(1).contains("queue.declare temporary"))
        await connection.close()
    }

    @Test("what a consumer that the broker ended has waiting goes back when its reader leaves")
    func endedByBroker() async throws {
        let broker = try PlayedBroker { _, request in
            guard request.name == "basic.consume" else { return .answer }
            let cancel = PlayedMethod(id: (60, 30), arguments: PlayedMethod.string("c") + [1])
            return .send([
                Self.consumeOk("c"), .deliver("a", to: "c", tag: 1), .deliver("b", to: "c", tag: 2), cancel,
            ])
        }
        let connection = try await AMQPConnection.connect(AMQPConfiguration(broker.uri))
        let channel = try await connection.openChannel()
        do {
            var deliveries = channel.consume("q", consumerTag: "c").makeAsyncIterator()
            let first = try await deliveries.next()
            try await eventually { channel.driver.state.withLock { _ in channel.record.consumers.isEmpty } }
            try await first?.ack()
        }
        _ = try await channel.get("sync")
        #expect(broker.calls(0).suffix(3) == ["basic.ack", "basic.nack", "basic.get sync"])
        await connection.close()
    }
}

/// Runs the steps of tasks when it is told to, on whichever thread tells it.
final class SteppedExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    /// Runs what is there and what comes of it.
    func runAll() {
        while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
