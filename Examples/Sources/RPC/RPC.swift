import AMQPWire

/// Requests and replies over direct reply-to: a server that answers four at a time, and a client with many under way.
@main
struct RPC {
    static func main() async throws {
        let uri = CommandLine.arguments.dropFirst().first ?? "amqp://guest:guest@localhost"
        // A connection each: what a broker does to one side does not stop the other.
        try await AMQPConnection.withConnection(uri) { serving in
            let channel = try await serving.openChannel()
            let queue = try await channel.declareQueue(exclusive: true).name
            let server = AMQPRPCServer(queue, on: channel, concurrency: 4)
            try await server.start()
            let running = Task { try await server.run(fibonacci) }

            try await AMQPConnection.withConnection(uri) { calling in
                let client = try await AMQPRPCClient.open(on: calling)
                let replies = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                    for number in 0...30 {
                        group.addTask { (number, try await client.call("\(number)", routingKey: queue).text ?? "?") }
                    }
                    var replies: [Int: String] = [:]
                    for try await (number, reply) in group { replies[number] = reply }
                    return replies
                }
                for number in [10, 20, 30] { print("fibonacci(\(number)) = \(replies[number] ?? "missing")") }

                do throws(AMQPError) {
                    _ = try await client.call("1", routingKey: "examples.nobody")
                } catch {
                    // At once, not after a timeout.
                    print("without a server: \(error.code == .publishReturned ? "returned" : error.message)")
                }
                try await client.close()
            }
            try await server.stop()
            try await running.value
        }
    }

    static func fibonacci(_ request: AMQPDelivery) async throws -> AMQPMessage {
        var (this, next) = (0, 1)
        for _ in 0..<(Int(request.text ?? "") ?? 0) { (this, next) = (next, this + next) }
        return AMQPMessage(body: "\(this)")
    }
}
