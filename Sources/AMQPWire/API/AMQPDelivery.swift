import Synchronization

/// A message as it came for a consumer, until it is taken. A class, because it goes through several hands.
final class Arrival: Sendable {
    /// Which opening of its channel it came over, recovered ones counted.
    let epoch: UInt64
    let deliver: AMQPMethod.BasicDeliver
    let message: AMQPMessage

    init(epoch: UInt64, deliver: AMQPMethod.BasicDeliver, message: AMQPMessage) {
        self.epoch = epoch
        self.deliver = deliver
        self.message = message
    }

    /// A message that was asked for.
    convenience init(_ ok: AMQPMethod.BasicGetOk, _ message: AMQPMessage, epoch: UInt64) {
        let deliver = AMQPMethod.BasicDeliver(
            deliveryTag: ok.deliveryTag,
            redelivered: ok.redelivered,
            exchange: ok.exchange,
            routingKey: ok.routingKey
        )
        self.init(epoch: epoch, deliver: deliver, message: message)
    }
}

/// A message that a consumer or a get brought.
///
/// Unless it came without acknowledgements (`noAck`), it belongs to the broker until it is acknowledged: what is neither
/// acknowledged nor refused comes again when the channel closes. Source: AMQP 0-9-1 reference, section 1.8.3.9.
public struct AMQPDelivery: Sendable {
    /// Where settlements go.
    private enum Origin: Sendable {
        case channel(AMQPChannel)
        /// The broker forgot it as it sent it.
        case settled(AMQPChannel)
        case test(TestSettlement)
    }

    private let arrival: Arrival
    private let origin: Origin

    init(_ arrival: Arrival, channel: AMQPChannel, isSettled: Bool) {
        self.arrival = arrival
        origin = isSettled ? .settled(channel) : .channel(channel)
        if channel.driver.isObserved {
            for observer in channel.driver.configuration.observers { observer.didReceive(self) }
        }
    }

    /// A delivery that no broker sent, for tests of code that handles deliveries.
    ///
    /// - Parameters:
    ///   - onSettlement: hears of the first `ack`, `nack` or `reject`; later ones do nothing, as with a broker's delivery.
    public init(
        _ message: AMQPMessage,
        deliveryTag: UInt64 = 1,
        isRedelivered: Bool = false,
        exchange: String = "",
        routingKey: String = "",
        consumerTag: String = "",
        onSettlement: @escaping @Sendable (AMQPSettlement) -> Void = { _ in }
    ) {
        let deliver = AMQPMethod.BasicDeliver(
            consumerTag: AMQPText(consumerTag),
            deliveryTag: deliveryTag,
            redelivered: isRedelivered,
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey)
        )
        arrival = Arrival(epoch: 0, deliver: deliver, message: message)
        origin = .test(TestSettlement(onSettlement))
    }

    /// Number of the delivery on its channel, from 1.
    public var deliveryTag: UInt64 { arrival.deliver.deliveryTag }

    /// Whether it was delivered before, to this or another consumer.
    public var isRedelivered: Bool { arrival.deliver.redelivered }

    /// Exchange it was published to.
    public var exchange: String { arrival.deliver.exchange.string }

    /// Routing key it was published with.
    public var routingKey: String { arrival.deliver.routingKey.string }

    /// Tag of the consumer it came for; empty for a get.
    public var consumerTag: String { arrival.deliver.consumerTag.string }

    /// The message.
    public var message: AMQPMessage { arrival.message }

    /// The body.
    public var body: [UInt8] { arrival.message.body }

    /// The body as text, nil where it is not UTF-8.
    public var text: String? { arrival.message.text }

    /// The properties.
    public var properties: AMQPProperties { arrival.message.properties }

    /// The opening of its channel that it came over.
    var epoch: UInt64 { arrival.epoch }

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
        let channel: AMQPChannel
        switch origin {
        case .channel(let itsChannel): channel = itsChannel
        case .settled: return
        case .test(let test): return test.settle(AMQPSettlement(settlement, multiple: multiple))
        }
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

/// What was told of a delivery that a test made.
public struct AMQPSettlement: Hashable, Sendable {
    private let settlement: Settlement
    /// Whether the deliveries before it are settled with it.
    public let multiple: Bool

    fileprivate init(_ settlement: Settlement, multiple: Bool) {
        self.settlement = settlement
        self.multiple = multiple
    }

    /// Acknowledged, by ``AMQPDelivery/ack(multiple:)``.
    public static func ack(multiple: Bool = false) -> AMQPSettlement {
        AMQPSettlement(.acknowledged, multiple: multiple)
    }

    /// Refused, by ``AMQPDelivery/nack(multiple:requeue:)``.
    public static func nack(multiple: Bool = false, requeue: Bool = true) -> AMQPSettlement {
        AMQPSettlement(.refused(requeue: requeue), multiple: multiple)
    }

    /// Refused, by ``AMQPDelivery/reject(requeue:)``.
    public static func reject(requeue: Bool = true) -> AMQPSettlement {
        AMQPSettlement(.rejected(requeue: requeue), multiple: false)
    }
}

extension AMQPSettlement: CustomStringConvertible {
    public var description: String {
        let all = multiple ? ", multiple" : ""
        return switch settlement {
        case .acknowledged: "ack\(all)"
        case .refused(let requeue): "nack, requeue \(requeue)\(all)"
        case .rejected(let requeue): "reject, requeue \(requeue)"
        }
    }
}

/// Tells a test how its delivery was settled, once.
private final class TestSettlement: Sendable {
    private let isSettled = Atomic(false)
    private let onSettlement: @Sendable (AMQPSettlement) -> Void

    init(_ onSettlement: @escaping @Sendable (AMQPSettlement) -> Void) {
        self.onSettlement = onSettlement
    }

    func settle(_ settlement: AMQPSettlement) {
        if !isSettled.exchange(true, ordering: .acquiringAndReleasing) { onSettlement(settlement) }
    }
}
