import Dispatch
import Synchronization
import Testing

@testable import AMQPWire

/// Counts the jobs that come to it. A change to another executor and back is one more.
private final class CountingExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "counting")
    private let jobs = Mutex(0)

    var count: Int { jobs.withLock { $0 } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0 += 1 }
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// Uses the client from an actor of its own.
private actor Caller {
    private let executor = CountingExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// How often the actor's executor is entered anew during something.
    func entries(_ body: @Sendable (isolated Caller) async throws -> Void) async rethrows -> Int {
        let before = executor.count
        try await body(self)
        return executor.count - before
    }
}

@Suite("Calls from an actor", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct ExecutorTests {
    @Test("what need not wait changes no executor, and what waits comes back once")
    func entries() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let publisher = try channel.publisher(routingKey: queue)
            let caller = Caller()
            let sending = try await caller.entries { _ in
                for number in 0..<100 {
                    try await channel.send("\(number)", routingKey: queue)
                    try await publisher.send([1])
                    try await publisher.submit([2])
                }
            }
            #expect(sending == 0)
            let confirmed = try await caller.entries { _ in
                for _ in 0..<10 { try await channel.publish("x", routingKey: queue) }
            }
            #expect(confirmed <= 10)
            let called = try await caller.entries { _ in
                for _ in 0..<10 { _ = try await channel.declareQueuePassively(queue) }
            }
            #expect(called <= 10)
            let consumer = channel.consume(queue, prefetchCount: 0)
            let started = try await caller.entries { _ in try await consumer.start() }
            // The prefetch count has an answer of its own.
            #expect(started <= 2)
            try await eventually { connection.statistics.messagesReceived == 310 }
            let direct = try await caller.entries { _ in
                var iterator = consumer.makeAsyncIterator()
                for _ in 0..<100 { try await iterator.next()?.ack() }
                // Kept: the consumer ends with its last reader.
                for _ in 0..<50 { try await iterator.next()?.nack(requeue: false) }
                for _ in 0..<50 { try await iterator.next()?.reject(requeue: false) }
                var count = 0
                for try await delivery in consumer {
                    try await delivery.ack(multiple: true)
                    count += 1
                    if count == 110 { break }
                }
                withExtendedLifetime(iterator) {}
            }
            #expect(direct == 0)
        }
    }
}
