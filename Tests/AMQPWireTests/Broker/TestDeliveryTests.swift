import Testing

@testable import AMQPWire

/// Deliveries that no broker sent.
@Suite("Deliveries that tests make")
struct TestDeliveryTests {
    @Test("tell how they were settled, once")
    func settled() async throws {
        let settlements = Shared<[AMQPSettlement]>([])
        func delivery(_ tag: UInt64 = 1) -> AMQPDelivery {
            AMQPDelivery(
                AMQPMessage(properties: AMQPProperties(contentType: "text/plain"), body: "hello"),
                deliveryTag: tag,
                isRedelivered: true,
                exchange: "e",
                routingKey: "k",
                consumerTag: "c"
            ) { settlement in settlements.withLock { $0.append(settlement) } }
        }
        let first = delivery(7)
        #expect(first.text == "hello" && first.body == Array("hello".utf8))
        #expect(first.properties.contentType == "text/plain")
        #expect(first.deliveryTag == 7 && first.isRedelivered)
        #expect(first.exchange == "e" && first.routingKey == "k" && first.consumerTag == "c")
        try await first.ack()
        try await first.nack()
        try await delivery().ack(multiple: true)
        try await delivery().nack(requeue: false)
        try await delivery().reject()
        #expect(
            settlements.withLock { $0 } == [
                .ack(), .ack(multiple: true), .nack(requeue: false), .reject(requeue: true),
            ]
        )
        try await AMQPDelivery(AMQPMessage(body: [1, 2])).ack()
    }
}
