import AMQPWire

/// What the agent needs on a broker before it reports: an exchange, this machine's queue, and the binding between them.
struct Topology: Hashable, Sendable {
    /// The exchange that reports are published to.
    var exchange: Method.ExchangeDeclare
    /// This machine's queue, `prefix.hostname`.
    var queue: Method.QueueDeclare
    /// The binding; its routing key is the queue's name.
    var binding: Method.QueueBind

    /// What the configuration asks for on a machine of this name.
    init(_ configuration: Configuration, hostname: String) {
        let name = AMQPText(configuration.queue.name(hostname: hostname))
        exchange = Method.ExchangeDeclare(
            exchange: AMQPText(configuration.exchange.name),
            type: AMQPText(configuration.exchange.type),
            durable: configuration.exchange.isDurable,
            autoDelete: configuration.exchange.deletesItself
        )
        queue = Method.QueueDeclare(
            queue: name,
            durable: configuration.queue.isDurable,
            exclusive: configuration.queue.isExclusive,
            autoDelete: configuration.queue.deletesItself,
            arguments: ["x-message-ttl": FieldValue(Int64(configuration.queue.timeToLive))]
        )
        binding = Method.QueueBind(queue: name, exchange: AMQPText(configuration.exchange.name), routingKey: name)
    }

    /// The requests, in the order in which they have to be made.
    var requests: [Method] {
        [.exchangeDeclare(exchange), .queueDeclare(queue), .queueBind(binding)]
    }
}
