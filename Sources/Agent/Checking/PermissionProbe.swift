#if Agent
import AMQPWire

/// A question that shows whether the user has a permission, and that changes nothing on a RabbitMQ.
///
/// Each asks for what the broker has to refuse, or for what is so already; RabbitMQ looks at the permission before it looks
/// at that. Other brokers might do what is asked, so they are not asked.
enum PermissionProbe: Hashable, Sendable {
    /// Whether an exchange that does not exist may be declared.
    case declaringExchange(AMQPMethod.ExchangeDeclare)
    /// Whether a queue that does not exist may be declared.
    case declaringQueue(AMQPMethod.QueueDeclare)
    /// Whether the queue may be bound.
    case binding(AMQPMethod.QueueBind)
    /// Whether messages may be published.
    case publishing(AMQPMethod.QueueBind)

    /// Asks. Closes the channel more often than not.
    func ask(on channel: AMQPChannel) async throws(AMQPError) {
        switch self {
        case .declaringExchange(let exchange):
            try await channel.declareExchange(
                exchange.exchange.string,
                type: AMQPExchangeType(exchange.type.string),
                durable: exchange.durable,
                autoDelete: exchange.autoDelete,
                // Has to be text.
                arguments: ["alternate-exchange": 0]
            )
        case .declaringQueue(let queue):
            try await channel.declareQueue(
                queue.queue.string,
                durable: queue.durable,
                exclusive: queue.exclusive,
                autoDelete: queue.autoDelete,
                // Has to be text.
                arguments: ["x-dead-letter-exchange": 0]
            )
        case .binding(let binding):
            try await channel.unbindQueue(
                binding.queue.string,
                from: binding.exchange.string,
                // Nobody has made a binding with such a key.
                routingKey: "psistats-check-\(UInt64.random(in: 0 ... .max))"
            )
        case .publishing(let binding):
            try await channel.publish(
                [],
                exchange: binding.exchange.string,
                routingKey: binding.routingKey.string,
                // Has to be a number.
                properties: AMQPProperties(expiration: "psistats-check")
            )
        }
    }

    /// Whether the answer is the refusal that comes after the permission was looked at.
    func isPermitted(_ error: AMQPError) -> Bool {
        switch (self, error.reply?.kind) {
        case (.declaringExchange, .invalidArgument): error.reply?.argument?.name == "alternate-exchange"
        case (.declaringQueue, .invalidArgument): error.reply?.argument?.name == "x-dead-letter-exchange"
        // The agent that runs holds its queue; that comes after the permission as well.
        case (.declaringQueue, .resourceLocked): true
        case (.binding, .notFound), (.binding, .resourceLocked), (.publishing, .notFound): true
        case (.publishing, .invalidArgument): error.reply?.argument?.name == "expiration"
        default: false
        }
    }
}
#endif
