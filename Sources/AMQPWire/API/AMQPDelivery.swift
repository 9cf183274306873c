/// A message as it came for a consumer, until it is taken.
struct Arrival: Sendable {
    /// Which opening of its channel it came over, recovered ones counted.
    var epoch: UInt64
    var deliver: AMQPMethod.BasicDeliver
    var message: AMQPMessage
}

/// A message that a consumer or a get brought.
///
/// Unless it came without acknowledgements (`noAck`), it belongs to the broker until it is acknowledged: what is neither
/// acknowledged nor refused comes again when the channel closes. Source: AMQP 0-9-1 reference, section 1.8.3.9.
public struct AMQPDelivery: Sendable {
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
    public let message: AMQPMessage

    private let channel: AMQPChannel
    private let epoch: UInt64
    /// Whether the broker forgot it as it sent it.
    private let isSettled: Bool

    init(_ arrival: Arrival, channel: AMQPChannel, isSettled: Bool) {
        self.channel = channel
        self.isSettled = isSettled
        epoch = arrival.epoch
        message = arrival.message
        deliveryTag = arrival.deliver.deliveryTag
        isRedelivered = arrival.deliver.redelivered
        exchange = arrival.deliver.exchange.string
        routingKey = arrival.deliver.routingKey.string
        consumerTag = arrival.deliver.consumerTag.string
    }

    /// The body.
    public var body: [UInt8] { message.body }

    /// The properties.
    public var properties: AMQPProperties { message.properties }

    /// Tells the broker that the message is dealt with; with `multiple`, all of the channel up to this one.
    ///
    /// What is settled already, by itself or together with others, is not settled again, since the broker would close the
    /// channel over it (406): the first call holds, and later ones do nothing. With `multiple` those up to this one that are
    /// not settled yet are. After a recovery the broker delivers again what was not acknowledged; an acknowledgement of the
    /// old delivery would mean nothing to it, and does nothing. In a transaction a rollback takes a settlement back.
    ///
    /// - Throws: ``AMQPError`` where the channel or connection is closed for good.
    public func ack(multiple: Bool = false) async throws(AMQPError) {
        try settle(.acknowledged, multiple: multiple)
    }

    /// Refuses the message, and with `multiple` all of the channel up to this one: back to the queue, or dropped or
    /// dead-lettered. RabbitMQ's extension. Does nothing where ``ack(multiple:)`` would not.
    ///
    /// - Throws: as ``ack(multiple:)``.
    public func nack(multiple: Bool = false, requeue: Bool = true) async throws(AMQPError) {
        try settle(.refused(requeue: requeue), multiple: multiple)
    }

    /// Refuses the message: back to the queue, or dropped or dead-lettered. Does nothing where ``ack(multiple:)`` would not.
    ///
    /// - Throws: as ``ack(multiple:)``.
    public func reject(requeue: Bool = true) async throws(AMQPError) {
        try settle(.rejected(requeue: requeue), multiple: false)
    }

    private func settle(_ settlement: Settlement, multiple: Bool) throws(AMQPError) {
        guard !isSettled else { return }
        let record = channel.record
        try channel.driver.perform(.soon) { (state) throws(AMQPError) in
            if let error = record.closed { throw error }
            guard record.epoch == epoch, let number = record.number else { return }
            if multiple {
                try state.settleAll(record, number, upTo: deliveryTag, settlement)
            } else if try state.core.settle(deliveryTag, settlement, channel: number) {
                record.didInTransaction()
            }
        }
    }
}
