import AMQPWire
import Dispatch
import Glibc

/// Consumes until SIGTERM comes. What is being handled then is finished and acknowledged, and what was delivered beyond goes
/// back to the queue.
@main
struct GracefulShutdown {
    static func main() async throws {
        let uri = CommandLine.arguments.dropFirst().first ?? "amqp://guest:guest@localhost"
        try await AMQPConnection.withConnection(uri) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true).name
            let consumer = channel.consume(queue, prefetchCount: 50)

            // From here on: a signal that comes before the loop ends it as it begins.
            let publishing = Publishing(try await connection.openChannel(), queue)
            let signals = onTermination {
                await publishing.stop()
                // It fails where the broker does not answer; the loop ends all the same.
                try? await consumer.cancel()
            }
            defer { signals.cancel() }

            let publisher = Task { try await publishing.run() }
            var handled = 0
            for try await delivery in consumer {
                try await delivery.ack()
                handled += 1
                if handled == 1 { say("ready") }
            }
            let published = try await publisher.value
            let left = try await channel.declareQueuePassively(queue).messageCount
            say("published \(published), handled \(handled), left \(left)")
        }
    }

    /// Has something done when SIGTERM comes.
    static func onTermination(_ body: @escaping @Sendable () async -> Void) -> any DispatchSourceSignal {
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM)
        source.setEventHandler { Task { await body() } }
        source.resume()
        return source
    }

    /// Prints a line at once, even into a pipe.
    static func say(_ line: String) {
        var line = line + "\n"
        line.withUTF8 { bytes in _ = write(STDOUT_FILENO, bytes.baseAddress, bytes.count) }
    }
}

/// Publishes until it is stopped, so that there is always something to be consumed.
actor Publishing {
    private let channel: AMQPChannel
    private let queue: String
    private var isStopped = false

    init(_ channel: AMQPChannel, _ queue: String) {
        self.channel = channel
        self.queue = queue
    }

    func stop() { isStopped = true }

    func run() async throws -> Int {
        var count = 0
        while !isStopped {
            try await channel.publish("message \(count)", routingKey: queue)
            count += 1
        }
        return count
    }
}
