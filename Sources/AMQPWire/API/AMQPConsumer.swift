import Synchronization

/// The deliveries of one consumer, as an asynchronous sequence for one reader.
///
/// Consuming begins with the first `next()`. It ends when the loop is left, the task is cancelled or the channel closed: the
/// consumer is cancelled, and what was delivered and not taken goes back to its queue. When the broker ends it, because the
/// queue was deleted, say, the sequence throws ``AMQPError`` with the code `consumerCancelled`. At most `prefetchCount`
/// deliveries are unacknowledged at a time. A second loop over the sequence may begin when the first has ended. A connection that
/// is recovered goes on delivering; what was not acknowledged comes again.
public struct AMQPConsumer: AsyncSequence, Sendable {
    public typealias Element = AMQPDelivery
    public typealias Failure = AMQPError

    /// Unacknowledged deliveries of a consumer where neither it nor `setQoS` says how many.
    static let usualPrefetchCount: UInt16 = 100

    let channel: AMQPChannel
    let queue: String
    let tag: AMQPText
    let options: ConsumerRecord.Options

    /// The consumer's tag, unique on its channel.
    public var consumerTag: String { tag.string }

    /// A reader of the deliveries.
    public func makeAsyncIterator() -> Iterator {
        Iterator(self)
    }

    /// Ends consuming: what was delivered and not taken goes back to the queue, and the sequence ends. With `noAck` the broker
    /// has forgotten what it delivered, so that can still be taken before the sequence ends.
    ///
    /// - Parameter noWait: do not wait for the broker's answer. With `noAck` what it sends before it knows is dropped.
    /// - Throws: ``AMQPError`` where the broker does not answer; the sequence ends all the same.
    public func cancel(noWait: Bool = false) async throws(AMQPError) {
        try await channel.driver.cancelConsumer(tag, channel.record, noWait: noWait)
    }

    /// Reads the deliveries. The last copy that goes ends the consumer.
    public struct Iterator: AsyncIteratorProtocol {
        private let lifetime: Lifetime

        fileprivate init(_ consumer: AMQPConsumer) {
            lifetime = Lifetime(consumer)
        }

        /// The next delivery; nil where the consumer was cancelled by this program, or the task was.
        ///
        /// - Throws: ``AMQPError``: why the consumer ended.
        public mutating func next() async throws(AMQPError) -> AMQPDelivery? {
            try await lifetime.next()
        }

        /// As ``next()``.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(AMQPError) -> AMQPDelivery? {
            try await lifetime.next()
        }
    }

    private final class Lifetime: Sendable {
        private let consumer: AMQPConsumer
        private let record = Mutex<ConsumerRecord?>(nil)

        init(_ consumer: AMQPConsumer) {
            self.consumer = consumer
        }

        deinit {
            if let record = record.withLock({ $0 }) { consumer.channel.driver.abandonConsumer(record) }
        }

        func next() async throws(AMQPError) -> AMQPDelivery? {
            let record: ConsumerRecord
            if let started = self.record.withLock({ $0 }) {
                record = started
            } else {
                record = try await consumer.channel.driver.startConsumer(consumer)
                self.record.withLock { $0 = record }
            }
            switch await consumer.channel.driver.next(record) {
            case .delivery(let arrival):
                return AMQPDelivery(arrival, channel: consumer.channel, isSettled: consumer.options.noAck)
            case .ended(nil): return nil
            case .ended(let error?): throw error
            }
        }
    }
}
