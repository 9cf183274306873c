/// The type of an exchange: how it routes.
///
/// Source: AMQP 0-9-1, section 3.1.3.
public struct AMQPExchangeType: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The type's name on the wire.
    public let name: String

    /// A type that a plugin of the broker adds, `x-delayed-message` say.
    public init(_ name: String) { self.name = name }
    public init(stringLiteral value: String) { self.init(value) }

    /// To the queues bound with the message's routing key.
    public static let direct = AMQPExchangeType("direct")
    /// To all queues bound.
    public static let fanout = AMQPExchangeType("fanout")
    /// To the queues whose pattern of words, `*` and `#` fits the routing key.
    public static let topic = AMQPExchangeType("topic")
    /// To the queues whose arguments fit the message's headers.
    public static let headers = AMQPExchangeType("headers")
}

/// A queue as the broker described it when it was declared.
public struct AMQPDeclaredQueue: Hashable, Sendable {
    /// The name; chosen by the broker where none was given.
    public let name: String
    /// Messages that wait in it.
    public let messageCount: UInt32
    /// Consumers on it.
    public let consumerCount: UInt32
}

extension AMQPChannel {
    // MARK: Exchanges

    /// Creates an exchange, or makes sure that it exists with these very settings.
    ///
    /// - Parameters:
    ///   - durable: survives a restart of the broker.
    ///   - autoDelete: deleted when the last binding is gone.
    ///   - internal: takes messages from other exchanges only.
    ///   - noWait: do not wait for the broker's answer.
    public func declareExchange(
        _ name: String,
        type: AMQPExchangeType = .direct,
        durable: Bool = false,
        autoDelete: Bool = false,
        internal: Bool = false,
        arguments: AMQPTable = [:],
        noWait: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.ExchangeDeclare(
            exchange: AMQPText(name),
            type: AMQPText(type.name),
            durable: durable,
            autoDelete: autoDelete,
            internal: `internal`,
            noWait: noWait,
            arguments: arguments
        )
        try await call(.exchangeDeclare(method), noWait: noWait)
        note { topology in
            topology.declared(
                {
                    var again = method
                    again.noWait = false
                    return again
                }()
            )
        }
    }

    /// Makes sure that an exchange exists; the channel is closed with 404 where it does not.
    public func declareExchangePassively(_ name: String) async throws(AMQPError) {
        _ = try await call(.exchangeDeclare(.init(exchange: AMQPText(name), passive: true)))
    }

    /// Deletes an exchange; with `ifUnused` only if nothing is bound to it, else the channel is closed with 406.
    public func deleteExchange(_ name: String, ifUnused: Bool = false, noWait: Bool = false) async throws(AMQPError) {
        try await call(
            .exchangeDelete(.init(exchange: AMQPText(name), ifUnused: ifUnused, noWait: noWait)),
            noWait: noWait
        )
        note { $0.deletedExchange(AMQPText(name)) }
    }

    /// Binds an exchange to another: what reaches `source` with the routing key reaches `destination`. RabbitMQ's extension.
    public func bindExchange(
        _ destination: String,
        to source: String,
        routingKey: String = "",
        arguments: AMQPTable = [:],
        noWait: Bool = false
    ) async throws(AMQPError) {
        var method = AMQPMethod.ExchangeBind(
            destination: AMQPText(destination),
            source: AMQPText(source),
            routingKey: AMQPText(routingKey),
            noWait: noWait,
            arguments: arguments
        )
        try await call(.exchangeBind(method), noWait: noWait)
        method.noWait = false
        let binding = method
        note { $0.bound(binding) }
    }

    /// Removes a binding between exchanges.
    public func unbindExchange(
        _ destination: String,
        from source: String,
        routingKey: String = "",
        arguments: AMQPTable = [:],
        noWait: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.ExchangeUnbind(
            destination: AMQPText(destination),
            source: AMQPText(source),
            routingKey: AMQPText(routingKey),
            noWait: noWait,
            arguments: arguments
        )
        try await call(.exchangeUnbind(method), noWait: noWait)
        note { $0.unbound(method) }
    }

    // MARK: Queues

    /// Creates a queue, or makes sure that it exists with these very settings.
    ///
    /// - Parameters:
    ///   - name: empty for a name that the broker makes, and makes anew after a recovery.
    ///   - durable: survives a restart of the broker.
    ///   - exclusive: for this connection only, and deleted with it.
    ///   - autoDelete: deleted when the last consumer is gone.
    ///   - arguments: `x-message-ttl` (milliseconds), `x-expires`, `x-max-length`, `x-queue-type` and so on.
    ///   - noWait: do not wait for the broker's answer. The queue has to have a name then, and both counts are 0, unknown.
    @discardableResult
    public func declareQueue(
        _ name: String = "",
        durable: Bool = false,
        exclusive: Bool = false,
        autoDelete: Bool = false,
        arguments: AMQPTable = [:],
        noWait: Bool = false
    ) async throws(AMQPError) -> AMQPDeclaredQueue {
        var method = AMQPMethod.QueueDeclare(
            queue: AMQPText(name),
            durable: durable,
            exclusive: exclusive,
            autoDelete: autoDelete,
            noWait: noWait,
            arguments: arguments
        )
        let declared = try await declare(method)
        method.noWait = false
        let declaration = method
        note { $0.declared(declaration, name: AMQPText(declared.name)) }
        return declared
    }

    /// Asks for a queue's state; the channel is closed with 404 where there is none.
    public func declareQueuePassively(_ name: String) async throws(AMQPError) -> AMQPDeclaredQueue {
        try await declare(.init(queue: AMQPText(name), passive: true))
    }

    private func declare(_ method: AMQPMethod.QueueDeclare) async throws(AMQPError) -> AMQPDeclaredQueue {
        if method.noWait {
            guard !method.queue.isEmpty else {
                throw AMQPError(
                    .invalidArgument,
                    scope: .message,
                    "a queue that the broker names cannot be declared without waiting: nobody would know its name",
                    delivery: .notSent
                )
            }
            try await driver.send(.queueDeclare(method), record)
            return AMQPDeclaredQueue(name: method.queue.string, messageCount: 0, consumerCount: 0)
        }
        guard case .queueDeclareOk(let ok) = try await call(.queueDeclare(method)) else {
            throw AMQPError(.unexpectedFrame, scope: .channel, "queue.declare was not answered by queue.declare-ok")
        }
        return AMQPDeclaredQueue(name: ok.queue.string, messageCount: ok.messageCount, consumerCount: ok.consumerCount)
    }

    /// Binds a queue to an exchange.
    public func bindQueue(
        _ queue: String,
        to exchange: String,
        routingKey: String = "",
        arguments: AMQPTable = [:],
        noWait: Bool = false
    ) async throws(AMQPError) {
        var method = AMQPMethod.QueueBind(
            queue: AMQPText(queue),
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            noWait: noWait,
            arguments: arguments
        )
        try await call(.queueBind(method), noWait: noWait)
        method.noWait = false
        let binding = method
        note { $0.bound(binding) }
    }

    /// Removes a binding of a queue.
    public func unbindQueue(
        _ queue: String,
        from exchange: String,
        routingKey: String = "",
        arguments: AMQPTable = [:]
    ) async throws(AMQPError) {
        let method = AMQPMethod.QueueUnbind(
            queue: AMQPText(queue),
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            arguments: arguments
        )
        _ = try await call(.queueUnbind(method))
        note { $0.unbound(method) }
    }

    /// Drops the messages of a queue that are not delivered yet, and says how many; 0 where `noWait` does not wait to know.
    @discardableResult
    public func purgeQueue(_ queue: String, noWait: Bool = false) async throws(AMQPError) -> UInt32 {
        let method = AMQPMethod.queuePurge(.init(queue: AMQPText(queue), noWait: noWait))
        guard case .queuePurgeOk(let ok) = try await call(method, noWait: noWait) else { return 0 }
        return ok.messageCount
    }

    /// Deletes a queue and says how many messages went with it; with `ifUnused` or `ifEmpty` only then, else the channel is
    /// closed with 406. 0 where `noWait` does not wait to know.
    @discardableResult
    public func deleteQueue(
        _ queue: String,
        ifUnused: Bool = false,
        ifEmpty: Bool = false,
        noWait: Bool = false
    ) async throws(AMQPError) -> UInt32 {
        let method = AMQPMethod.QueueDelete(
            queue: AMQPText(queue),
            ifUnused: ifUnused,
            ifEmpty: ifEmpty,
            noWait: noWait
        )
        let reply = try await call(.queueDelete(method), noWait: noWait)
        note { $0.deletedQueue(AMQPText(queue)) }
        guard case .queueDeleteOk(let ok) = reply else { return 0 }
        return ok.messageCount
    }
}
