/// The deliveries of one consumer, as an asynchronous sequence for one reader or several.
///
/// Consuming begins with ``start()``, or with the first `next()` of a reader where nobody called that. Several loops at a time,
/// or copies of one iterator in several tasks, share the deliveries: each goes to one of them, in turn. Consuming ends when the
/// last loop is left or its task cancelled, by ``cancel(noWait:)``, with the channel, or when nobody holds the consumer any
/// more: the broker is told, and what was delivered and not taken goes back to its queue. When the broker ends it, because the
/// queue was deleted, say, the sequence throws ``AMQPError`` with the code `consumerCancelled`.
///
/// At most `prefetchCount` deliveries are unacknowledged at a time. A loop that begins after the last one was left starts the
/// consumer again. A connection that is recovered goes on delivering; what was not acknowledged comes again.
public struct AMQPConsumer: AsyncSequence, Sendable {
    public typealias Element = AMQPDelivery
    public typealias Failure = AMQPError

    /// Unacknowledged deliveries of a consumer where neither it nor `setQoS` says how many.
    static let usualPrefetchCount: UInt16 = 100

    let source: ConsumerSource

    /// The consumer's tag, unique on its channel.
    public var consumerTag: String { source.plan.tag.string }

    /// A reader of the deliveries.
    public func makeAsyncIterator() -> Iterator {
        Iterator(reader: ConsumerReader(source))
    }

    /// Starts consuming, and returns when the broker has said that it delivers (consume-ok). Deliveries wait for a reader, at
    /// most `prefetchCount` of them. Does nothing where it is started already.
    ///
    /// Waits for a connection that is being recovered. Direct reply-to needs it: the broker refuses a request (406) whose
    /// consumer of replies is not there yet.
    ///
    /// - Throws: ``AMQPError``: `channelClosed` where the broker refuses it (404, 403), `closed` after ``cancel(noWait:)`` and on
    ///   a channel that is closed, `invalidArgument` for a tag that is in use, `timedOut`, `cancelled`.
    public func start() async throws(AMQPError) {
        guard try await source.channel.driver.start(source.plan, for: nil) else {
            throw AMQPError(.closed, scope: .channel, "the consumer was cancelled by this program")
        }
    }

    /// Ends consuming for good: all loops end, now and also those that begin later. What was delivered and not taken goes
    /// back to the queue. With `noAck` the broker has forgotten what it delivered, so that can still be taken first.
    ///
    /// Readers end at once. Where the connection is lost and not back yet, nothing is waited for.
    ///
    /// - Parameter noWait: do not wait for the broker's answer. With `noAck` what it sends before it knows is dropped.
    /// - Throws: ``AMQPError``, `timedOut` or `cancelled` where the broker does not answer; the sequence ends all the same.
    public func cancel(noWait: Bool = false) async throws(AMQPError) {
        try await source.channel.driver.cancelConsumer(source.plan, noWait: noWait)
    }

    /// Reads the deliveries. Copies read from the same consumer; it ends with the last of all.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let reader: ConsumerReader

        /// The next delivery; nil when consuming has ended or the task is cancelled.
        ///
        /// - Throws: ``AMQPError``: why consuming could not start, or why it ended.
        public mutating func next() async throws(AMQPError) -> AMQPDelivery? {
            try await reader.next()
        }

        /// As ``next()``; what `for await` calls.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(AMQPError) -> AMQPDelivery? {
            try await reader.next()
        }
    }
}

/// Keeps a consumer and its channel for those who hold it.
final class ConsumerSource: Sendable {
    let channel: AMQPChannel
    let plan: ConsumerPlan

    init(_ channel: AMQPChannel, _ plan: ConsumerPlan) {
        self.channel = channel
        self.plan = plan
    }

    deinit {
        channel.driver.forget(plan)
    }
}

/// One iterator and its copies.
final class ConsumerReader: @unchecked Sendable {
    // Unchecked: `run` is accessed under the driver's lock, and at the end, when nobody else is there.

    let source: ConsumerSource
    /// What is read from, once it is started.
    var run: ConsumerRecord?

    init(_ source: ConsumerSource) {
        self.source = source
    }

    deinit {
        if let run { source.channel.driver.leave(run) }
    }

    nonisolated(nonsending) func next() async throws(AMQPError) -> AMQPDelivery? {
        let channel = source.channel
        guard let arrival = try await channel.driver.next(self) else { return nil }
        return AMQPDelivery(arrival, channel: channel, isSettled: source.plan.options.noAck)
    }
}
