#if Agent
import AMQPWire

/// What the agent needs on a broker before it reports: an exchange, this machine's queue, and the binding between them.
struct Topology: Hashable, Sendable {
    /// The exchange that reports are published to.
    var exchange: AMQPMethod.ExchangeDeclare
    /// This machine's queue, `prefix.hostname`.
    var queue: AMQPMethod.QueueDeclare
    /// The binding; its routing key is the queue's name.
    var binding: AMQPMethod.QueueBind

    /// What the configuration asks for on a machine of this name.
    init(_ configuration: Configuration, hostname: String) {
        let name = AMQPText(configuration.queue.name(hostname: hostname))
        exchange = AMQPMethod.ExchangeDeclare(
            exchange: AMQPText(configuration.exchange.name),
            type: AMQPText(configuration.exchange.type),
            durable: configuration.exchange.isDurable,
            autoDelete: configuration.exchange.deletesItself
        )
        queue = AMQPMethod.QueueDeclare(
            queue: name,
            durable: configuration.queue.isDurable,
            exclusive: configuration.queue.isExclusive,
            autoDelete: configuration.queue.deletesItself,
            arguments: Self.arguments(of: configuration.queue)
        )
        binding = AMQPMethod.QueueBind(queue: name, exchange: AMQPText(configuration.exchange.name), routingKey: name)
    }

    /// What is written into psistats.conf, and nothing else: a broker compares what it gets with what the queue has.
    private static func arguments(of queue: Configuration.Queue) -> AMQPTable {
        var arguments: AMQPTable = ["x-message-ttl": AMQPFieldValue(Int64(queue.timeToLive))]
        if let type = queue.type { arguments.entries.append(.init("x-queue-type", AMQPFieldValue(type))) }
        if let expires = queue.expires { arguments.entries.append(.init("x-expires", AMQPFieldValue(Int64(expires)))) }
        if let length = queue.maxLength {
            arguments.entries.append(.init("x-max-length", AMQPFieldValue(Int64(length))))
        }
        return arguments
    }

    /// The requests, in the order in which they have to be made.
    var requests: [AMQPMethod] {
        [.exchangeDeclare(exchange), .queueDeclare(queue), .queueBind(binding)]
    }

    /// Makes sure that all of it exists on the broker.
    ///
    /// - Returns: the queue as the broker describes it.
    /// - Throws: as the calls do; 406 where the exchange or the queue exists with other settings, 405 where another connection
    ///   holds the queue.
    @discardableResult
    func declare(on channel: AMQPChannel) async throws(AMQPError) -> AMQPDeclaredQueue {
        try await channel.declareExchange(
            exchange.exchange.string,
            type: AMQPExchangeType(exchange.type.string),
            durable: exchange.durable,
            autoDelete: exchange.autoDelete,
            arguments: exchange.arguments
        )
        let declared = try await channel.declareQueue(
            queue.queue.string,
            durable: queue.durable,
            exclusive: queue.exclusive,
            autoDelete: queue.autoDelete,
            arguments: queue.arguments
        )
        try await channel.bindQueue(
            binding.queue.string,
            to: binding.exchange.string,
            routingKey: binding.routingKey.string
        )
        return declared
    }
}
#endif
