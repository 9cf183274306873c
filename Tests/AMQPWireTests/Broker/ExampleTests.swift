import Testing

@testable import AMQPWire

@Suite("The example of the documentation", .enabled(if: TestBroker.isThere, TestBroker.absence))
struct ExampleTests {
    @Test("declares, publishes with a confirm, consumes and acknowledges", .timeLimit(.minutes(1)))
    func example() async throws {
        let body = Array(#"{"hostname": "pi", "cpu": 12.5}"#.utf8)
        try await AMQPConnection.withConnection(TestBroker.uri) { connection in
            try await connection.withChannel { channel in
                try await channel.declareExchange("psistats", type: .topic)
                try await channel.declareQueue("psistats.pi", durable: true, arguments: ["x-message-ttl": 10_000])
                try await channel.bindQueue("psistats.pi", to: "psistats", routingKey: "psistats.pi")
                try await channel.publish(body, exchange: "psistats", routingKey: "psistats.pi", mandatory: true)
                for try await delivery in channel.consume("psistats.pi", prefetchCount: 100) {
                    #expect(delivery.body == body)
                    #expect(delivery.routingKey == "psistats.pi")
                    try await delivery.ack()
                    break
                }
                try await channel.deleteQueue("psistats.pi")
                try await channel.deleteExchange("psistats")
            }
        }
    }
}
