/// Sees what a connection publishes, takes and lives through, for metrics and tracing.
///
/// Set observers in ``AMQPConfiguration/observers``. Each function has an implementation that does nothing, so write those that
/// you need. They are called on whichever thread it happens; do little in them, and do not block. Without observers nothing is
/// called, and publishing costs what it costs without this protocol.
public protocol AMQPObserver: Sendable {
    /// A message is about to be published, by whatever call but those of RPC, and its properties can still be changed, by a trace's context in its headers, say.
    ///
    /// - Returns: what is to be called once with the outcome, or nil. For `publish` that is the broker's confirm; for `submit` and
    ///   `send` it is that the message was handed to the connection. The error is nil where it went well.
    func willPublish(_ publish: inout AMQPObservedPublish) -> (@Sendable (AMQPError?) -> Void)?

    /// A delivery is about to be handed to the application, by a consumer's loop or a get.
    func didReceive(_ delivery: AMQPDelivery)

    /// Something happened to the connection. Comes after ``AMQPConfiguration/onEvent``, one event at a time, in order.
    func didHappen(_ event: AMQPEvent)
}

extension AMQPObserver {
    /// Changes nothing, and hears no outcome.
    public func willPublish(_ publish: inout AMQPObservedPublish) -> (@Sendable (AMQPError?) -> Void)? { nil }
    /// Does nothing.
    public func didReceive(_ delivery: AMQPDelivery) {}
    /// Does nothing.
    public func didHappen(_ event: AMQPEvent) {}
}

/// A message that is about to be published.
public struct AMQPObservedPublish: Sendable {
    /// How a message is published. More ways may be added.
    public struct Operation: Hashable, Sendable, CustomStringConvertible {
        /// The name of the call: `publish`.
        public let description: String

        /// The call returns when the broker has confirmed the message.
        public static let publish = Operation(description: "publish")
        /// The call returns when the message is queued for the socket; its confirm can be awaited later.
        public static let submit = Operation(description: "submit")
        /// The call returns when the message is queued for the socket, and it may not be confirmed at all.
        public static let send = Operation(description: "send")
    }

    /// How it is published.
    public let operation: Operation
    /// The exchange; empty for the default exchange.
    public let exchange: String
    /// The routing key.
    public let routingKey: String
    /// Size of the body, in bytes.
    public let bodySize: Int
    /// The properties that it is published with; what is changed here goes to the broker.
    public var properties: AMQPProperties

    /// A publish, for tests of observers.
    public init(
        operation: Operation = .publish,
        exchange: String = "",
        routingKey: String,
        bodySize: Int,
        properties: AMQPProperties = AMQPProperties()
    ) {
        self.operation = operation
        self.exchange = exchange
        self.routingKey = routingKey
        self.bodySize = bodySize
        self.properties = properties
    }
}

/// What a prepared publisher's frames are made of.
final class ObservedContent: Sendable {
    let method: AMQPMethod.BasicPublish
    let properties: AMQPProperties

    init(_ method: AMQPMethod.BasicPublish, _ properties: AMQPProperties) {
        self.method = method
        self.properties = properties
    }
}

/// What observers want to be told of one publish.
private struct PublishObservation {
    var properties: AMQPProperties
    private let finishers: [@Sendable (AMQPError?) -> Void]

    init(
        _ operation: AMQPObservedPublish.Operation,
        _ method: AMQPMethod.BasicPublish,
        _ properties: AMQPProperties,
        bodySize: Int,
        _ observers: [any AMQPObserver]
    ) {
        var publish = AMQPObservedPublish(
            operation: operation,
            exchange: method.exchange.string,
            routingKey: method.routingKey.string,
            bodySize: bodySize,
            properties: properties
        )
        finishers = observers.compactMap { $0.willPublish(&publish) }
        self.properties = publish.properties
    }

    func finish(_ error: AMQPError?) {
        for finish in finishers { finish(error) }
    }
}

/// Publishing that is observed. Apart, so that publishing without observers pays for one comparison.
extension AMQPChannel {
    nonisolated(nonsending) func publishObserved(
        _ method: AMQPMethod.BasicPublish,
        _ properties: AMQPProperties,
        _ body: [UInt8]
    ) async throws(AMQPError) {
        try await observed(.publish, method, properties, body) { (properties) async throws(AMQPError) in
            try await driver.publishConfirmed(record) { (core, channel) throws(AMQPError) in
                try core.publish(method, properties: properties, bytes: body, on: channel)
            }
        }
    }

    nonisolated(nonsending) func submitObserved(
        _ method: AMQPMethod.BasicPublish,
        _ properties: AMQPProperties,
        _ body: [UInt8]
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        try await observed(.submit, method, properties, body) { (properties) async throws(AMQPError) in
            try await driver.submit(self, .plain(method, properties, body)) { (core, channel) throws(AMQPError) in
                try core.publish(method, properties: properties, bytes: body, on: channel)
            }
        }
    }

    nonisolated(nonsending) func sendObserved(
        _ method: AMQPMethod.BasicPublish,
        _ properties: AMQPProperties,
        _ body: [UInt8]
    ) async throws(AMQPError) {
        _ = try await observed(.send, method, properties, body) { (properties) async throws(AMQPError) in
            try await driver.publish(record, .soon) { (core, channel) throws(AMQPError) in
                try core.publish(method, properties: properties, bytes: body, on: channel)
            }
        }
    }

    private nonisolated(nonsending) func observed<Value>(
        _ operation: AMQPObservedPublish.Operation,
        _ method: AMQPMethod.BasicPublish,
        _ properties: AMQPProperties,
        _ body: [UInt8],
        _ publish: nonisolated(nonsending) (AMQPProperties) async throws(AMQPError) -> Value
    ) async throws(AMQPError) -> Value {
        let observers = driver.configuration.observers
        let observation = PublishObservation(operation, method, properties, bodySize: body.count, observers)
        do throws(AMQPError) {
            let value = try await publish(observation.properties)
            observation.finish(nil)
            return value
        } catch {
            observation.finish(error)
            throw error
        }
    }
}
