import AMQPWire

/// Consuming with AMQPWire, as it is measured.
enum ConsumingClient {
    /// Connects, warms up, and consumes as `options` say. The clock stops with the last acknowledgement.
    static func run(_ options: Options) async throws -> Measurement {
        let connection = try await AMQPConnection.connect(
            "amqp://guest:guest@\(options.host):\(options.port)?heartbeat=0"
        )
        let channel = try await connection.openChannel()
        let consumer = channel.consume(Options.queue, prefetchCount: Options.prefetchCount)
        let measurement =
            if options.style == .actor {
                try await consumeOnMainActor(consumer, options)
            } else {
                try await consume(consumer, options)
            }
        try await channel.close()
        await connection.close()
        return measurement
    }

    /// In a plain task.
    private static func consume(_ consumer: AMQPConsumer, _ options: Options) async throws -> Measurement {
        var count = Count(options)
        for try await delivery in consumer {
            if count.isAckDue(delivery) { try await delivery.ack(multiple: true) }
            if count.isComplete { break }
        }
        count.measurement.end()
        return count.measurement
    }

    /// In the main actor, where each change of executor is one of threads.
    @MainActor
    private static func consumeOnMainActor(_ consumer: AMQPConsumer, _ options: Options) async throws -> Measurement {
        var count = Count(options)
        for try await delivery in consumer {
            if count.isAckDue(delivery) { try await delivery.ack(multiple: true) }
            if count.isComplete { break }
        }
        count.measurement.end()
        return count.measurement
    }
}

/// Counts messages, and starts the clock after those that warm up.
private struct Count {
    private let warmup: Int
    private let all: Int
    private var taken = 0
    var measurement: Measurement

    init(_ options: Options) {
        warmup = options.warmup
        all = options.warmup + options.messages
        measurement = Measurement(options)
        if warmup == 0 { measurement.start() }
    }

    var isComplete: Bool { taken == all }

    mutating func isAckDue(_ delivery: AMQPDelivery) -> Bool {
        precondition(delivery.body.count == 200)
        taken += 1
        if taken == warmup { measurement.start() }
        return taken % Options.acknowledged == 0
    }
}
