import AMQPWire

/// A work queue: four workers share one consumer. A job that fails is tried again after a pause, which it spends in a second
/// queue; one that fails three times goes to a third, where somebody can look at it.
@main
struct WorkQueue {
    static let jobs = "examples.jobs"
    static let pause = "examples.jobs.pause"
    static let failed = "examples.jobs.failed"
    static let mostAttempts = 3

    static func main() async throws {
        let uri = CommandLine.arguments.dropFirst().first ?? "amqp://guest:guest@localhost"
        try await AMQPConnection.withConnection(uri) { connection in
            let channel = try await connection.openChannel()
            try await declareQueues(channel)

            let names = (1...20).map { "job \($0)" }
            let batch = names.map {
                AMQPOutgoingMessage($0, routingKey: jobs, properties: AMQPProperties(deliveryMode: 2))
            }
            try await channel.publish(batch, mandatory: true)

            let results = Results(expecting: names.count)
            let consumer = channel.consume(jobs, prefetchCount: 8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await work(consumer, channel, results) } }
                try await group.waitForAll()
            }
            let (done, retries, given) = await results.summary
            print("done \(done), retried \(retries), failed \(given)")

            for queue in [jobs, pause, failed] { try await channel.deleteQueue(queue) }
        }
    }

    /// The queues for jobs: what is rejected goes from the first to the second, and after 50 ms back.
    static func declareQueues(_ channel: AMQPChannel) async throws {
        try await channel.declareQueue(
            jobs,
            durable: true,
            arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": AMQPFieldValue(pause)]
        )
        try await channel.declareQueue(
            pause,
            durable: true,
            arguments: [
                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": AMQPFieldValue(jobs),
                "x-message-ttl": 50,
            ]
        )
        try await channel.declareQueue(failed, durable: true)
    }

    /// Works until the consumer is cancelled.
    static func work(_ consumer: AMQPConsumer, _ channel: AMQPChannel, _ results: Results) async throws {
        for try await delivery in consumer {
            let attempt = rejections(delivery) + 1
            if isDone(delivery, attempt) {
                try await delivery.ack()
                await results.jobDone()
            } else if attempt < mostAttempts {
                try await delivery.reject(requeue: false)
                await results.jobRetried()
            } else {
                // First there, confirmed, and then away from here: it may be twice, but never lost.
                try await channel.publish(delivery.body, routingKey: failed, properties: delivery.properties)
                try await delivery.ack()
                await results.jobFailed()
            }
            // Ends the loops of all workers.
            if await results.areComplete { try await consumer.cancel() }
        }
    }

    /// How often the broker has dead-lettered the job because a worker rejected it.
    static func rejections(_ delivery: AMQPDelivery) -> Int {
        let deaths = delivery.properties.headers?["x-death"]?.array ?? []
        let rejections = deaths.compactMap(\.table).filter { $0["reason"]?.string == "rejected" }
        return rejections.reduce(0) { $0 + Int($1["count"]?.integer ?? 1) }
    }

    /// The job itself. Every fifth needs a second attempt, and one never works.
    static func isDone(_ delivery: AMQPDelivery, _ attempt: Int) -> Bool {
        let number = delivery.text.flatMap { Int($0.dropFirst(4)) } ?? 0
        if number == 13 { return false }
        return number % 5 != 0 || attempt > 1
    }
}

/// What became of the jobs.
actor Results {
    private let expected: Int
    private var done = 0
    private var retried = 0
    private var failed = 0

    init(expecting expected: Int) { self.expected = expected }

    func jobDone() { done += 1 }
    func jobRetried() { retried += 1 }
    func jobFailed() { failed += 1 }
    var areComplete: Bool { done + failed == expected }
    var summary: (Int, Int, Int) { (done, retried, failed) }
}
