import AMQPWire

/// One publisher, three subscribers. Each has a queue of its own, and is started before the first message is published: what
/// is published before a queue is bound is not for it.
@main
struct FanOut {
    static let exchange = "examples.news"

    static func main() async throws {
        let uri = CommandLine.arguments.dropFirst().first ?? "amqp://guest:guest@localhost"
        try await AMQPConnection.withConnection(uri) { connection in
            let publishing = try await connection.openChannel()
            try await publishing.declareExchange(exchange, type: .fanout, autoDelete: true)

            let subscribers = ["ann", "bob", "eve"]
            var consumers: [(String, AMQPConsumer)] = []
            for name in subscribers {
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true).name
                try await channel.bindQueue(queue, to: exchange)
                let consumer = channel.consume(queue)
                try await consumer.start()
                consumers.append((name, consumer))
            }

            for number in 1...10 { try await publishing.submit("news \(number)", exchange: exchange, routingKey: "") }
            try await publishing.submit("end", exchange: exchange, routingKey: "")
            try await publishing.waitForConfirms()

            let counts = try await withThrowingTaskGroup(of: (String, Int).self) { group in
                for (name, consumer) in consumers { group.addTask { (name, try await read(consumer)) } }
                var counts: [String: Int] = [:]
                for try await (name, count) in group { counts[name] = count }
                return counts
            }
            for name in subscribers { print("\(name) read \(counts[name] ?? 0)") }
        }
    }

    /// Reads until the last message, and says how many came before.
    static func read(_ consumer: AMQPConsumer) async throws -> Int {
        var count = 0
        for try await delivery in consumer {
            try await delivery.ack()
            if delivery.text == "end" { break }
            count += 1
        }
        return count
    }
}
