import AMQPWire
import AMQPWireTracing
import InMemoryTracing
import Testing
import Tracing

@Suite("Spans of messages")
struct TracingTests {
    private let tracer = InMemoryTracer()

    private func publish(
        exchange: String = "orders",
        routingKey: String = "new",
        properties: AMQPProperties = AMQPProperties(),
        error: AMQPError? = nil
    ) -> AMQPObservedPublish {
        let tracing = AMQPTracing(tracer: tracer)
        var connected = AMQPEvent(.connected)
        connected.peer = "[::1]:5672"
        tracing.didHappen(connected)
        var publish = AMQPObservedPublish(
            exchange: exchange,
            routingKey: routingKey,
            bodySize: 3,
            properties: properties
        )
        tracing.willPublish(&publish)?(error)
        return publish
    }

    @Test("a publish has a span by the conventions of OpenTelemetry, whose context goes along in the headers")
    func span() throws {
        let properties = AMQPProperties(headers: ["own": 1], correlationID: "c", messageID: "m")
        let publish = publish(properties: properties)
        let span = try #require(tracer.finishedSpans.first)
        #expect(span.operationName == "publish orders")
        #expect(span.kind == .producer)
        let attributes: SpanAttributes = [
            "messaging.system": "rabbitmq", "messaging.operation.name": "publish", "messaging.operation.type": "send",
            "messaging.destination.name": "orders:new", "messaging.rabbitmq.destination.routing_key": "new",
            "messaging.message.body.size": 3, "messaging.message.id": "m", "messaging.message.conversation_id": "c",
            "network.protocol.name": "amqp", "network.protocol.version": "0.9.1", "server.address": "::1",
            "server.port": 5672,
        ]
        #expect(span.attributes == attributes)
        #expect(publish.properties.headers?["own"] == 1)
        #expect(publish.properties.headers?[InMemoryTracer.spanIDKey]?.string == span.spanID)
        #expect(publish.properties.headers?[InMemoryTracer.traceIDKey]?.string == span.traceID)
        #expect(publish.properties.messageID == "m")
    }

    @Test(
        "destinations are named as RabbitMQ's are",
        arguments: [
            ("e", "k", "publish e", "e:k"), ("", "q", "publish amq.default", "q"), ("e", "", "publish e", "e"),
            ("", "", "publish amq.default", "amq.default"),
        ]
    )
    func destinations(exchange: String, routingKey: String, name: String, destination: String) throws {
        _ = publish(exchange: exchange, routingKey: routingKey)
        let span = try #require(tracer.finishedSpans.first)
        #expect(span.operationName == name)
        #expect(span.attributes.get("messaging.destination.name") == .string(destination))
    }

    @Test("a publish that fails has its error in the span")
    func failed() throws {
        _ = publish(error: AMQPError(.publishReturned, "no queue"))
        let span = try #require(tracer.finishedSpans.first)
        #expect(span.attributes.get("error.type") == "publishReturned")
        #expect(span.status?.code == .error)
        #expect(span.errors.count == 1)
    }

    @Test("a publish is a child of the span around it")
    func parent() async throws {
        tracer.withSpan("request") { _ in _ = publish() }
        let spans = tracer.finishedSpans
        #expect(spans.map(\.operationName) == ["publish orders", "request"])
        #expect(spans[0].traceID == spans[1].traceID)
        #expect(spans[0].parentSpanID == spans[1].spanID)
    }

    @Test(
        "a message's processing is a child of its publish, on the other side of a broker",
        .enabled(if: TestBroker.isThere, TestBroker.absence),
        .timeLimit(.minutes(1))
    )
    func endToEnd() async throws {
        try await TestBroker.withQueue([AMQPTracing(tracer: tracer)]) { channel, queue in
            try await channel.publisher(routingKey: queue).publish([1, 2, 3])
            let delivery = try #require(try await channel.get(queue))
            struct Broken: Error {}
            await #expect(throws: Broken.self) {
                try await delivery.withSpan(queue: queue, tracer: tracer) { _ in
                    tracer.withSpan("inner") { _ in }
                    throw Broken()
                }
            }
            let spans = tracer.finishedSpans
            #expect(spans.map(\.operationName) == ["publish amq.default", "inner", "process \(queue)"])
            #expect(spans.allSatisfy { $0.traceID == spans[0].traceID })
            #expect(spans[2].parentSpanID == spans[0].spanID)
            #expect(spans[1].parentSpanID == spans[2].spanID)
            #expect(spans[2].kind == .consumer)
            #expect(spans[2].attributes.get("messaging.operation.type") == "process")
            #expect(spans[2].attributes.get("messaging.destination.name") == .string(queue))
            #expect(spans[2].attributes.get("messaging.rabbitmq.message.delivery_tag") == .int64(1))
            #expect(spans[2].attributes.get("error.type") == "Broken")
            try await delivery.ack()
        }
    }
}
