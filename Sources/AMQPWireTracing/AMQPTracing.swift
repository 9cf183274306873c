#if Tracing
public import AMQPWire
import Synchronization
public import Tracing

/// Makes a span of each publish, and sends its context along in the message's headers. Follows OpenTelemetry's conventions
/// for messaging and RabbitMQ.
///
/// ```swift
/// var configuration = try AMQPConfiguration(uri)
/// configuration.observers.append(AMQPTracing())
/// ```
///
/// The span is named `publish` and the exchange (`amq.default` for the default exchange), is of the kind `producer`, and a
/// child of the span in whose task the message is published. It ends with the broker's confirm, or for `submit` and `send`
/// when the message is handed to the connection; an error is recorded with its code as `error.type`. How the context stands
/// in the headers is for the tracer to decide; most use `traceparent`. The other side takes it out with
/// ``AMQPWire/AMQPDelivery/withSpan(queue:tracer:isolation:_:)``.
public final class AMQPTracing: AMQPObserver {
    private let tracer: (any Tracer)?
    /// The broker's host and port, once connected.
    private let server = Mutex<(address: String, port: Int)?>(nil)

    /// Spans of a tracer; nil for the one that the instrumentation system was set up with.
    public init(tracer: (any Tracer)? = nil) {
        self.tracer = tracer
    }

    public func willPublish(_ publish: inout AMQPObservedPublish) -> (@Sendable (AMQPError?) -> Void)? {
        let tracer = tracer ?? InstrumentationSystem.tracer
        let span = tracer.startSpan("publish \(Destination.name(of: publish.exchange))", ofKind: .producer)
        var attributes = SpanAttributes.message(
            operation: "publish",
            type: "send",
            destination: Destination.producer(publish.exchange, publish.routingKey),
            routingKey: publish.routingKey,
            publish.properties,
            bodySize: publish.bodySize
        )
        if let (address, port) = server.withLock({ $0 }) {
            attributes["server.address"] = address
            attributes["server.port"] = port
        }
        span.attributes.merge(attributes)
        var headers = publish.properties.headers ?? [:]
        tracer.inject(span.context, into: &headers, using: HeaderCarrier())
        if !headers.isEmpty { publish.properties.headers = headers }
        return { error in
            if let error { span.fail(error) }
            span.end()
        }
    }

    public func didHappen(_ event: AMQPEvent) {
        guard event.kind == .connected, let peer = event.peer, let colon = peer.lastIndex(of: ":") else { return }
        let host = peer[..<colon].drop { $0 == "[" }
        let address = String(host.last == "]" ? host.dropLast() : host)
        guard let port = Int(peer[peer.index(after: colon)...]) else { return }
        server.withLock { $0 = (address, port) }
    }
}

extension AMQPDelivery {
    /// The context of the span that published the message, taken out of its headers; the current task's where it has none.
    public func serviceContext(tracer: (any Tracer)? = nil) -> ServiceContext {
        var context = ServiceContext.current ?? .topLevel
        let tracer = tracer ?? InstrumentationSystem.tracer
        tracer.extract(properties.headers ?? [:], into: &context, using: HeaderCarrier())
        return context
    }

    /// Runs the processing of the message in a span, a child of the one that published it. Follows OpenTelemetry's
    /// conventions for messaging and RabbitMQ.
    ///
    /// ```swift
    /// for try await delivery in channel.consume("orders") {
    ///     try await delivery.withSpan(queue: "orders") { span in
    ///         try await handle(delivery)
    ///         try await delivery.ack()
    ///     }
    /// }
    /// ```
    ///
    /// The span is named `process` and the queue, or the exchange where no queue is given, and is of the kind `consumer`. An
    /// error that `body` throws is recorded, and thrown on.
    ///
    /// - Parameters:
    ///   - queue: the queue that was consumed.
    ///   - tracer: nil for the one that the instrumentation system was set up with.
    public func withSpan<Value>(
        queue: String? = nil,
        tracer: (any Tracer)? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (any Span) async throws -> Value
    ) async rethrows -> Value {
        let context = serviceContext(tracer: tracer)
        let tracer = tracer ?? InstrumentationSystem.tracer
        let name = queue ?? Destination.name(of: exchange)
        let span = tracer.startSpan("process \(name)", context: context, ofKind: .consumer)
        defer { span.end() }
        span.attributes.merge(
            .message(
                operation: "process",
                type: "process",
                destination: Destination.consumer(exchange, routingKey, queue),
                routingKey: routingKey,
                properties,
                bodySize: self.body.count
            )
        )
        span.attributes["messaging.rabbitmq.message.delivery_tag"] = Int64(clamping: deliveryTag)
        do {
            return try await ServiceContext.$current.withValue(
                span.context,
                operation: { try await body(span) },
                isolation: isolation
            )
        } catch {
            span.fail(error)
            throw error
        }
    }
}

/// Names of where messages go to and come from.
private enum Destination {
    /// An exchange's name, which varies little enough to name spans by.
    static func name(of exchange: String) -> String { exchange.isEmpty ? "amq.default" : exchange }

    /// `messaging.destination.name` of a publish.
    static func producer(_ exchange: String, _ routingKey: String) -> String {
        let parts = [exchange, routingKey].filter { !$0.isEmpty }
        return parts.isEmpty ? "amq.default" : parts.joined(separator: ":")
    }

    /// `messaging.destination.name` of a delivery.
    static func consumer(_ exchange: String, _ routingKey: String, _ queue: String?) -> String {
        let queue = queue == routingKey ? "" : queue ?? ""
        let parts = [exchange, routingKey, queue].filter { !$0.isEmpty }
        return parts.isEmpty ? "amq.default" : parts.joined(separator: ":")
    }
}

/// Puts a context into headers, and takes it out.
private struct HeaderCarrier: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout AMQPTable) { carrier[key] = value }
    func extract(key: String, from carrier: AMQPTable) -> String? { carrier[key]?.string }
}

extension SpanAttributes {
    /// What is said of a message.
    fileprivate static func message(
        operation: String,
        type: String,
        destination: String,
        routingKey: String,
        _ properties: AMQPProperties,
        bodySize: Int
    ) -> SpanAttributes {
        var attributes: SpanAttributes = [
            "messaging.system": "rabbitmq",
            "messaging.operation.name": .string(operation),
            "messaging.operation.type": .string(type),
            "messaging.destination.name": .string(destination),
            "messaging.message.body.size": .int64(Int64(bodySize)),
            "network.protocol.name": "amqp",
            "network.protocol.version": "0.9.1",
        ]
        if !routingKey.isEmpty { attributes["messaging.rabbitmq.destination.routing_key"] = routingKey }
        if let id = properties.messageID { attributes["messaging.message.id"] = id.string }
        if let id = properties.correlationID { attributes["messaging.message.conversation_id"] = id.string }
        return attributes
    }
}

extension Span {
    /// Records an error, with its code where it is one of the client's.
    fileprivate func fail(_ error: any Error) {
        let type = (error as? AMQPError).map { "\($0.code)" } ?? "\(Swift.type(of: error))"
        attributes["error.type"] = type
        recordError(error)
        setStatus(SpanStatus(code: .error))
    }
}
#endif
