import Testing

@testable import AMQPWire

/// Requests and replies over direct reply-to.
@Suite("Requests and replies", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct RPCTests {
    /// Runs `body` while a server answers the requests of a queue.
    private func withServer(
        _ server: AMQPRPCServer,
        _ handler: @escaping @Sendable (AMQPDelivery) async throws -> AMQPMessage,
        _ body: () async throws -> Void
    ) async throws {
        try await server.start()
        let running = Task { try await server.run(handler) }
        try await body()
        try await server.stop()
        try await running.value
    }

    @Test("each of many calls gets its own reply")
    func calls() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let client = try await AMQPRPCClient.open(on: connection)
            let server = AMQPRPCServer(queue, on: channel, concurrency: 4)
            try await withServer(server) { request in
                AMQPMessage(body: "\(2 * (Int(request.text ?? "") ?? 0))")
            } _: {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            let reply = try await client.call("\(number)", routingKey: queue)
                            #expect(reply.text == "\(2 * number)")
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
            #expect(connection.leftovers == 0)
            try await client.close()
        }
    }

    @Test("a request that no queue takes fails at once")
    func unroutable() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, _ in
            let client = try await AMQPRPCClient.open(on: connection)
            let error = await #expect(throws: AMQPError.self) {
                try await client.call("x", routingKey: uniqueName("nowhere"))
            }
            #expect(error?.code == .publishReturned)
            #expect(connection.leftovers == 0)
        }
    }

    @Test("a request that nobody answers times out, and its late reply is dropped")
    func timeout() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let client = try await AMQPRPCClient.open(on: connection)
            let error = await #expect(throws: AMQPError.self) {
                try await client.call("late", routingKey: queue, timeout: .milliseconds(50))
            }
            #expect(error?.code == .timedOut && error?.delivery == .unknown)
            try await withServer(AMQPRPCServer(queue, on: channel)) {
                AMQPMessage(body: $0.body)
            } _: {
                let reply = try await client.call("prompt", routingKey: queue)
                #expect(reply.text == "prompt")
            }
            #expect(connection.leftovers == 0)
        }
    }

    @Test("a handler that throws refuses its request, and the server goes on")
    func refused() async throws {
        struct Unfit: Error {}
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let dead = try await channel.makeQueue()
            let arguments: AMQPTable = [
                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": AMQPFieldValue(dead),
            ]
            let queue = try await channel.makeQueue(arguments: arguments)
            let client = try await AMQPRPCClient.open(on: connection)
            let failed = Shared<[String?]>([])
            let server = AMQPRPCServer(queue, on: channel) { request, _ in failed.withLock { $0.append(request.text) } }
            try await withServer(server) { request in
                if request.text == "bad" { throw Unfit() }
                return AMQPMessage(body: "good")
            } _: {
                await #expect(throws: AMQPError.self) {
                    try await client.call("bad", routingKey: queue, timeout: .milliseconds(100))
                }
                let reply = try await client.call("x", routingKey: queue)
                #expect(reply.text == "good")
            }
            #expect(failed.withLock { $0 } == ["bad"])
            try await channel.expectMessages(1, in: dead)
        }
    }

    @Test("a stopped server answers what it is at, and the rest stays in the queue")
    func stopped() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let client = try await AMQPRPCClient.open(on: connection)
            let (isHandling, mayAnswer) = (Signal(), Signal())
            let server = AMQPRPCServer(queue, on: channel)
            try await server.start()
            let running = Task {
                try await server.run { _ in
                    isHandling.set()
                    await mayAnswer.wait()
                    return AMQPMessage(body: "done")
                }
            }
            let first = Task { try await client.call("1", routingKey: queue) }
            await isHandling.wait()
            let second = Task { try await client.call("2", routingKey: queue) }
            try await eventually { connection.statistics.messagesReceived == 2 }
            try await server.stop()
            mayAnswer.set()
            #expect(try await first.value.text == "done")
            try await running.value
            try await channel.expectMessages(1, in: queue)
            second.cancel()
            _ = await second.result
        }
    }
}
