/// Answers the requests of a queue.
///
/// A request is acknowledged once its reply is sent. Where the connection is lost before, the reply is dropped, since it would
/// find nobody, and the broker delivers the request again.
///
/// ```swift
/// try await channel.declareQueue("double")
/// let server = AMQPRPCServer("double", on: channel, concurrency: 8)
/// try await server.run { request in
///     AMQPMessage(body: "\(2 * (Int(request.text ?? "") ?? 0))")
/// }
/// ```
public final class AMQPRPCServer: Sendable {
    private let channel: AMQPChannel
    private let consumer: AMQPConsumer
    private let concurrency: Int
    private let onFailure: @Sendable (AMQPDelivery, any Error) -> Void

    /// A server that is yet to be run.
    ///
    /// - Parameters:
    ///   - queue: where the requests come; it has to be there.
    ///   - concurrency: requests handled at a time, at least 1.
    ///   - prefetchCount: requests that the broker hands over before they are answered; nil for what `setQoS` said, or 100.
    ///   - onFailure: hears of a request that was refused, because its handler threw.
    public init(
        _ queue: String,
        on channel: AMQPChannel,
        concurrency: Int = 1,
        prefetchCount: UInt16? = nil,
        onFailure: @escaping @Sendable (AMQPDelivery, any Error) -> Void = { _, _ in }
    ) {
        self.channel = channel
        self.concurrency = max(1, concurrency)
        self.onFailure = onFailure
        consumer = channel.consume(queue, prefetchCount: prefetchCount)
    }

    /// Starts consuming, and returns when the broker delivers; ``run(_:)`` does so itself.
    ///
    /// - Throws: as ``AMQPConsumer/start()``.
    public func start() async throws(AMQPError) {
        try await consumer.start()
    }

    /// Answers requests until ``stop()``, or until the task is cancelled.
    ///
    /// - Parameter handler: makes the reply, of which the server sets the `correlationID`. Where it throws, the request is
    ///   refused: dropped, or dead-lettered if its queue says so. Where it throws because its task is cancelled, the request
    ///   goes back to the queue.
    /// - Throws: ``AMQPError`` where the broker ends the consumer or the channel, or the connection ends for good.
    public func run(
        _ handler: @escaping @concurrent @Sendable (AMQPDelivery) async throws -> AMQPMessage
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask { [self] in
                    for try await request in consumer { try await answer(request, handler) }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Takes no more requests: ``run(_:)`` returns when those that are being handled are answered. The others go back to the
    /// queue.
    ///
    /// - Throws: as ``AMQPConsumer/cancel(noWait:)``.
    public func stop() async throws(AMQPError) {
        try await consumer.cancel()
    }

    private func answer(
        _ request: AMQPDelivery,
        _ handler: @concurrent @Sendable (AMQPDelivery) async throws -> AMQPMessage
    ) async throws {
        let reply: AMQPMessage
        do {
            reply = try await handler(request)
        } catch {
            let isCancelled = Task.isCancelled
            try await request.nack(requeue: isCancelled)
            if !isCancelled { onFailure(request, error) }
            return
        }
        if let address = request.properties.replyTo { try await send(reply, to: address, request) }
        try await request.ack()
    }

    private func send(_ reply: AMQPMessage, to address: AMQPText, _ request: AMQPDelivery) async throws(AMQPError) {
        var properties = reply.properties
        properties.correlationID = request.properties.correlationID
        let whole = properties
        let (record, epoch) = (channel.record, request.epoch)
        _ = try await channel.driver.publish(record, .now) { (core, channel) throws(AMQPError) in
            // With the connection that the request came over its address is gone.
            guard record.epoch == epoch else { return nil }
            return try core.publish(
                AMQPMethod.BasicPublish(routingKey: address),
                properties: whole,
                bytes: reply.body,
                on: channel
            )
        }
    }
}
