import AMQPWire
import AMQPWireMetrics
import MetricsTestKit
import Testing

@Suite("Metrics of a connection")
struct MetricsTests {
    private let factory = TestMetrics()

    @Test("publishes are counted and timed by operation, exchange and error")
    func publishes() throws {
        let metrics = AMQPMetrics(factory: factory, dimensions: [("app", "test")])
        func publish(_ operation: AMQPObservedPublish.Operation, _ exchange: String, _ error: AMQPError?) {
            var publish = AMQPObservedPublish(operation: operation, exchange: exchange, routingKey: "k", bodySize: 3)
            metrics.willPublish(&publish)?(error)
            #expect(publish.properties == AMQPProperties())
        }
        publish(.publish, "orders", nil)
        publish(.publish, "orders", nil)
        publish(.send, "", nil)
        publish(.publish, "orders", AMQPError(.publishReturned, "no queue"))
        func dimensions(_ operation: String, _ exchange: String) -> [(String, String)] {
            [
                ("messaging.system", "rabbitmq"), ("app", "test"), ("messaging.operation.name", operation),
                ("messaging.destination.name", exchange),
            ]
        }
        let sent = "messaging.client.sent.messages"
        #expect(try factory.expectCounter(sent, dimensions("publish", "orders")).totalValue == 2)
        #expect(try factory.expectCounter(sent, dimensions("send", "amq.default")).totalValue == 1)
        let failed = dimensions("publish", "orders") + [("error.type", "publishReturned")]
        #expect(try factory.expectCounter(sent, failed).totalValue == 1)
        let timer = try factory.expectTimer("messaging.client.operation.duration", dimensions("publish", "orders"))
        #expect(timer.values.count == 2)
        #expect(timer.values.allSatisfy { $0 > 0 })
    }

    @Test("events are counted, and meters say whether the connection is open and blocked")
    func events() throws {
        let metrics = AMQPMetrics(factory: factory)
        let system = [("messaging.system", "rabbitmq")]
        let open = try factory.expectMeter("amqp.client.connection.open", system)
        let blocked = try factory.expectMeter("amqp.client.connection.blocked", system)
        metrics.didHappen(AMQPEvent(.connected))
        #expect(open.lastValue == 1)
        metrics.didHappen(AMQPEvent(.blocked))
        #expect(blocked.lastValue == 1)
        metrics.didHappen(AMQPEvent(.disconnected))
        #expect(open.lastValue == 0)
        metrics.didHappen(AMQPEvent(.reconnecting))
        metrics.didHappen(AMQPEvent(.connected))
        #expect(blocked.lastValue == 0)
        metrics.didHappen(AMQPEvent(.closed))
        #expect(open.lastValue == 0)
        for (name, count) in [("connection.opened", 2), ("connection.lost", 1), ("recovery.attempts", 1)] {
            #expect(try factory.expectCounter("amqp.client." + name, system).totalValue == Int64(count))
        }
    }

    @Test(
        "a broker's refusals are counted",
        .enabled(if: TestBroker.isThere, TestBroker.absence),
        .timeLimit(.minutes(1))
    )
    func broker() async throws {
        try await TestBroker.withQueue([AMQPMetrics(factory: factory)]) { channel, queue in
            try await channel.publish("x", routingKey: queue)
            #expect(try await channel.get(queue, noAck: true) != nil)
            await #expect(throws: AMQPError.self) {
                try await channel.publish("x", routingKey: queue + "-not", mandatory: true)
            }
        }
        #expect(factory.counterTotal(label: "messaging.client.consumed.messages") == 1)
        let sent = factory.counters(label: "messaging.client.sent.messages")
        #expect(sent.map(\.totalValue).reduce(0, +) == 2)
        #expect(sent.count { $0.dimensions.contains { $0 == ("error.type", "publishReturned") } } == 1)
    }
}
