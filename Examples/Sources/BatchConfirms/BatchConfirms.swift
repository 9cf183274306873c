import AMQPWire

/// Publishes a batch to a queue that takes 30 messages and refuses more, learns which were refused, and publishes those again
/// once there is room.
@main
struct BatchConfirms {
    static func main() async throws {
        let uri = CommandLine.arguments.dropFirst().first ?? "amqp://guest:guest@localhost"
        try await AMQPConnection.withConnection(uri) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-max-length": 30, "x-overflow": "reject-publish"]
            ).name

            var pending = (0..<100).map { AMQPOutgoingMessage("\($0)", routingKey: queue) }
            var refusals = 0
            var arrived: [Int] = []
            while !pending.isEmpty {
                let failures = await channel.publishAll(pending)
                // A refused message is not with the broker, so publishing it again makes no duplicate.
                if let other = failures.first(where: { $0.error.code != .publishRefused }) { throw other.error }
                refusals += failures.count
                arrived += try await read(pending.count - failures.count, from: queue, channel)
                pending = failures.map { pending[$0.index] }
            }
            let areAllThere = arrived.sorted() == Array(0..<100)
            print("refused at first: \(refusals > 0 ? "some" : "none")")
            print("arrived: \(arrived.count), \(areAllThere ? "each once" : "not each once")")
        }
    }

    /// Takes so many messages from a queue.
    static func read(_ count: Int, from queue: String, _ channel: AMQPChannel) async throws -> [Int] {
        var numbers: [Int] = []
        if count == 0 { return numbers }
        for try await delivery in channel.consume(queue) {
            try await delivery.ack()
            if let number = delivery.text.flatMap({ Int($0) }) { numbers.append(number) }
            if numbers.count == count { break }
        }
        return numbers
    }
}
