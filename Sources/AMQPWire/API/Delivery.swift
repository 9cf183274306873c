/// A message that a consumer or a get brought.
///
/// Unless it came without acknowledgements (`noAck`), it belongs to the broker until it is acknowledged: what is neither
/// acknowledged nor refused comes again when the channel closes. Source: AMQP 0-9-1 reference, section 1.8.3.9.
public struct Delivery: Sendable {
    /// Number of the delivery on its channel, from 1.
    public let deliveryTag: UInt64
    /// Whether it was delivered before, to this or another consumer.
    public let isRedelivered: Bool
    /// Exchange it was published to.
    public let exchange: String
    /// Routing key it was published with.
    public let routingKey: String
    /// Tag of the consumer it came for; empty for a get.
    public let consumerTag: String
    /// The message.
    public let message: Message

    private let driver: ConnectionDriver
    private let channel: ChannelRecord
    private let epoch: UInt64
    /// Whether the broker forgot it as it sent it.
    private let isSettled: Bool

    init(
        driver: ConnectionDriver,
        channel: ChannelRecord,
        epoch: UInt64,
        isSettled: Bool,
        deliver: Method.BasicDeliver,
        message: Message
    ) {
        self.driver = driver
        self.channel = channel
        self.epoch = epoch
        self.isSettled = isSettled
        self.message = message
        deliveryTag = deliver.deliveryTag
        isRedelivered = deliver.redelivered
        exchange = deliver.exchange.string
        routingKey = deliver.routingKey.string
        consumerTag = deliver.consumerTag.string
    }

    /// The body.
    public var body: [UInt8] { message.body }

    /// The properties.
    public var properties: BasicProperties { message.properties }

    /// Tells the broker that the message is dealt with; with `multiple`, all of the channel up to this one.
    ///
    /// After a recovery the broker delivers again what was not acknowledged, and an acknowledgement of the old delivery means
    /// nothing to it: the call does nothing then.
    ///
    /// - Throws: ``AMQPError`` where the channel or connection is closed for good.
    public func ack(multiple: Bool = false) async throws(AMQPError) {
        try settle(.basicAck(.init(deliveryTag: deliveryTag, multiple: multiple)))
    }

    /// Refuses the message, and with `multiple` all of the channel up to this one: back to the queue, or dropped or
    /// dead-lettered. RabbitMQ's extension.
    ///
    /// - Throws: as ``ack(multiple:)``.
    public func nack(multiple: Bool = false, requeue: Bool = true) async throws(AMQPError) {
        try settle(.basicNack(.init(deliveryTag: deliveryTag, multiple: multiple, requeue: requeue)))
    }

    /// Refuses the message: back to the queue, or dropped or dead-lettered.
    ///
    /// - Throws: as ``ack(multiple:)``.
    public func reject(requeue: Bool = true) async throws(AMQPError) {
        try settle(.basicReject(.init(deliveryTag: deliveryTag, requeue: requeue)))
    }

    private func settle(_ method: Method) throws(AMQPError) {
        guard !isSettled else { return }
        try driver.perform(.soon) { (state) throws(AMQPError) in
            if let error = channel.closed { throw error }
            guard channel.epoch == epoch, let number = channel.number else { return }
            try state.core.send(method, channel: number)
        }
    }
}
