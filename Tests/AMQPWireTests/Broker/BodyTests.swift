import Testing

@testable import AMQPWire

/// Bodies of all kinds, and batches.
@Suite("Bodies and batches", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct BodyTests {
    @Test("text, spans, slices and other collections of bytes arrive as they are, by every way of publishing")
    func kinds() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            let publisher = try channel.publisher(routingKey: queue)
            let bytes = Array("grüße".utf8)
            let slice = ([0] + bytes + [0])[1...bytes.count]
            let lazy = bytes.lazy.map { $0 }
            try await channel.publish("grüße", routingKey: queue)
            try await channel.publish(bytes.span.bytes, routingKey: queue)
            try await channel.publish(slice, routingKey: queue)
            try await channel.publish(lazy, routingKey: queue)
            try await channel.submit("grüße", routingKey: queue).confirmed()
            try await channel.submit(bytes.span.bytes, routingKey: queue).confirmed()
            try await channel.submit(slice, routingKey: queue).confirmed()
            try await channel.send("grüße", routingKey: queue)
            try await channel.send(bytes.span.bytes, routingKey: queue)
            try await channel.send(slice, routingKey: queue)
            try await publisher.publish("grüße")
            try await publisher.publish(bytes.span.bytes)
            try await publisher.publish(slice)
            try await publisher.submit("grüße").confirmed()
            try await publisher.submit(bytes.span.bytes).confirmed()
            try await publisher.submit(slice).confirmed()
            try await publisher.send("grüße")
            try await publisher.send(bytes.span.bytes)
            try await publisher.send(slice)
            let batch = [
                AMQPOutgoingMessage("grüße", routingKey: queue), AMQPOutgoingMessage(slice, routingKey: queue),
                AMQPOutgoingMessage(bytes.span.bytes, routingKey: queue), AMQPOutgoingMessage(bytes, routingKey: queue),
            ]
            try await channel.publish(batch)
            for _ in 0..<23 { #expect(try await channel.get(queue, noAck: true)?.text == "grüße") }
            #expect(try await channel.get(queue) == nil)
        }
    }

    @Test("a batch says which of its messages failed, and why, and sends the others")
    func batch() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            let full = try await channel.makeQueue(arguments: ["x-max-length": 2, "x-overflow": "reject-publish"])
            let long = String(repeating: "x", count: 256)
            let keys = [queue, full, full, uniqueName("nowhere"), full, long, queue]
            let batch = keys.enumerated().map { AMQPOutgoingMessage("\($0.offset)", routingKey: $0.element) }
            let failures = await channel.publishAll(batch, mandatory: true)
            #expect(failures.map(\.index) == [3, 4, 5])
            #expect(failures.map(\.error.code) == [.publishReturned, .publishRefused, .invalidArgument])
            #expect(failures.map(\.error.delivery) == [.refused, .refused, .notSent])
            #expect(try await channel.declareQueuePassively(queue).messageCount == 2)
            let error = await #expect(throws: AMQPError.self) { try await channel.publish(batch, mandatory: true) }
            #expect(error?.code == .publishRefused)
            #expect(await channel.publishAll([]).isEmpty)
        }
    }

    @Test("a batch whose channel is closed under way fails from there on")
    func closedUnderWay() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, _ in
            let channel = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            var batch = (0..<5_000).map { AMQPOutgoingMessage("\($0)", routingKey: queue) }
            batch[100].exchange = uniqueName("missing")
            let failures = await channel.publishAll(batch)
            #expect(failures.first.map { $0.index <= 100 } == true)
            #expect(failures.last?.index == 4_999)
            #expect(failures.allSatisfy { $0.error.delivery != nil && $0.error.replyCode == 404 })
        }
    }
}
